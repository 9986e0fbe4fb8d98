"""Only the serving process of this very node is asked to end, and never a stranger that has its number by now."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.adapters.serving_restart import end_serving
from ganglion.core.serving_errors import ServingUnreachable

SOON_S = 20.0


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)"]) as process:
        yield process
        process.kill()


def named(directory: Path, pid: object) -> Path:
    file = directory / "serving.json"
    file.write_text(json.dumps({"pid": pid}))
    return file


def test_the_process_that_the_supervisor_started_is_asked_to_end(
    tmp_path: Path, child: "subprocess.Popen[bytes]"
) -> None:
    end_serving(named(tmp_path, child.pid), supervisor=os.getpid())

    assert child.wait(SOON_S) == -15


def test_a_process_of_somebody_else_is_left_alone(tmp_path: Path, child: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(ServingUnreachable):
        end_serving(named(tmp_path, child.pid), supervisor=os.getpid() + 1)

    assert child.poll() is None


@pytest.mark.parametrize("pid", [2**31, 0, -1, "many", None, [1]])
def test_a_file_that_names_no_process_ends_none(tmp_path: Path, pid: object) -> None:
    with pytest.raises(ServingUnreachable):
        end_serving(named(tmp_path, pid), supervisor=os.getpid())


def test_without_the_file_nothing_serves(tmp_path: Path) -> None:
    with pytest.raises(ServingUnreachable):
        end_serving(tmp_path / "serving.json", supervisor=os.getpid())
