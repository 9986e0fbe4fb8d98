"""The page "Serve a model in one minute", executed: what it says to type works in the order in which it says it."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.serve_world import Serve, follow
from ganglion.entrypoints.settings.tree import child_environment
from integration.models import classifier
from source_tree import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "tutorial" / "serve-a-model.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^\$ (.*)$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALLING = ("python3 ", ".venv/", "source ")
"""What the test run itself began with."""


class Reader:
    """Somebody who types what the page says, on a free port in place of the page's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.serving: Serve | None = None

    def type(self, line: str) -> str:
        words = shlex.split(line)
        if words[:2] == ["ganglion", "serve"]:
            self.leave()
            self.serving = Serve.start(self._directory / words[2])
            return ""
        assert self.serving is not None
        return self.run(["bash", "-c", line.replace(":8080", f":{self.serving.port}")])

    def run(self, command: list[str]) -> str:
        places = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        return subprocess.run(
            command,
            cwd=self._directory,
            env=child_environment() | {"PATH": places},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def leave(self) -> None:
        if self.serving is not None:
            self.serving.kill()


def fill(directory: Path) -> None:
    """Put the files of the page where it says they are."""
    models = directory / "models"
    for version in ("1", "2"):
        (models / "gate" / version).mkdir(parents=True)
    gate = classifier(directory / "gate.onnx")
    for place in ("face.onnx", "gate/1/model.onnx", "gate/2/model.onnx"):
        shutil.copyfile(gate, models / place)
    (directory / "labels.txt").write_text("open\nclosed\nbroken\n")


def test_what_the_page_says_works(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = Reader(tmp_path)
    said: dict[str, str] = {}

    try:
        for line in CONSOLE.findall(PAGE):
            if not line.startswith(INSTALLING):
                said[line] = reader.type(line)
        assert reader.serving is not None
        answer = follow(reader.serving)
    finally:
        reader.leave()

    assert len(said) >= 6
    assert '"outputs"' in next(text for line, text in said.items() if "/infer" in line)
    assert answer["model_name"] == "gate"


def test_the_program_on_the_page_runs(tmp_path: Path) -> None:
    fill(tmp_path)

    printed = [Reader(tmp_path).run([sys.executable, "-c", program]) for program in PYTHON.findall(PAGE)]

    assert len(printed) == 1
    assert "scores" in printed[0]
