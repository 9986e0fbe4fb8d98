"""The demo as a user runs it: it ends with 0 only if every promise held, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

GANGLION = (sys.executable, "-m", "ganglion.entrypoints.cli.main")
DEADLINE_S = 240.0


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of living processes that work below `directory`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in words:
            found.append(words)
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "scratch"
    directory.mkdir()
    yield directory
    assert list(directory.iterdir()) == []
    assert processes_of(directory) == []


def start_demo(scratch: Path, report: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*GANGLION, "demo", "--quick", "--report", str(report)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )


def test_every_promise_of_the_demo_holds(scratch: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"

    with start_demo(scratch, report) as demo:
        told, _ = demo.communicate(timeout=DEADLINE_S)

    assert demo.returncode == 0, told
    assert "promises held" in told
    page = report.read_text(encoding="utf-8")
    assert page.count("<svg") == 4
    assert "<script" not in page


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130)])
def test_a_demo_that_is_ended_early_cleans_everything_up(
    scratch: Path, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    with start_demo(scratch, tmp_path / "report.html") as demo:
        assert demo.stdout is not None
        next(line for line in demo.stdout if "training on" in line)
        assert processes_of(scratch)

        demo.send_signal(number)
        demo.communicate(timeout=DEADLINE_S)

    assert demo.returncode == exit_code
    wait_until(lambda: not processes_of(scratch), what="every process to end", timeout_s=30)
