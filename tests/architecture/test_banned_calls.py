"""Time, chance and the environment come in through arguments (style guide, sections 4 and 9)."""

import ast
from pathlib import Path

import pytest

from banned_calls import BANNED, banned_uses
from source_tree import SourceFile, source_files

ALLOWED = {
    # Silences a library that would speak to its maker; it reads nothing.
    "ganglion": ("os.environ.setdefault",),
    "ganglion.adapters.system": ("time", "secrets", "random", "os.urandom", "uuid"),
    "ganglion.entrypoints.settings.tree": ("os.environ",),
}


def snippet(text: str) -> SourceFile:
    return SourceFile(path=Path("planted.py"), name="planted", text=text, tree=ast.parse(text))


def test_only_the_system_adapter_reads_clocks_and_chance_and_only_settings_read_the_environment() -> None:
    found = [
        f"{source.place(node)}: {name} is not allowed here; {replacement}"
        for source in source_files("src")
        for node, name, replacement in banned_uses(source)
        if not name.startswith(ALLOWED.get(source.name, ("never",)))
    ]

    assert not found, "\n".join(found)


def test_unit_and_property_tests_never_sleep() -> None:
    sleeps = [
        source.place(node)
        for folder in ("tests/unit", "tests/property")
        for source in source_files(folder)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"time.sleep", "asyncio.sleep", "anyio.sleep"}
    ]

    assert not sleeps, "wait for a condition, or advance the FakeClock: " + ", ".join(sleeps)


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.time()",
        "import time as t\nt.monotonic()",
        "from time import sleep\nsleep(1)",
        "from time import perf_counter as tick\ntick()",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import datetime\ndatetime.utcnow()",
        "from datetime import date\ndate.today()",
        "import random\nrandom.random()",
        "import random\ndef f(chance: random.Random) -> None: ...",
        "import secrets\nsecrets.token_hex()",
        "import uuid\nuuid.uuid4()",
        "from uuid import uuid4\nuuid4()",
        "import os\nos.environ['HOME']",
        "import os\nos.getenv('HOME')",
        "import os.path\nos.environ",
        "from os import environ\nenviron.get('HOME')",
        "def f():\n    import time\n    return time.time()",
        "import numpy as np\nnp.random.rand(3)",
        "import numpy as np\nnp.random.default_rng()",
        "import time\nread = time.time",
    ],
)
def test_a_planted_use_is_found(text: str) -> None:
    found = list(banned_uses(snippet(text)))

    assert len(found) == 1
    assert found[0][2] in BANNED.values()


@pytest.mark.parametrize(
    "text",
    [
        "time = 3\ntime + 1",
        "def f(now, time): return time.time()",
        "import datetime\ndatetime.timedelta(seconds=1)",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, tz=UTC)",
        "import os\nos.fsync(3)",
        "import uuid\nuuid.UUID('0')",
        "import numpy as np\nnp.random.default_rng(7).permutation(3)",
        "import numpy as np\ndef f(rng: np.random.Generator) -> None: ...",
        "self.clock.time()",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert list(banned_uses(snippet(text))) == []
