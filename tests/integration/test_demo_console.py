"""The demo's progress on a terminal."""

import os
import pty
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from ganglion.entrypoints.demo.console import Console

COLUMNS = 40


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """Yield the side that a person sees, and the side that a program writes to."""
    seen, written = pty.openpty()
    termios.tcsetwinsize(written, (24, COLUMNS))
    with os.fdopen(written, "w") as out:
        yield seen, out
    os.close(seen)


def test_progress_never_wraps_so_that_it_can_be_taken_back(terminal: tuple[int, TextIO]) -> None:
    seen, out = terminal

    Console(out).progress("waiting for: " + "one thing and another; " * 20)

    shown = os.read(seen, 10_000).decode()
    assert shown.startswith("   … waiting for: one thing")
    assert len(shown) < COLUMNS


def test_a_terminal_that_does_not_tell_its_width_gets_progress_too(terminal: tuple[int, TextIO]) -> None:
    seen, out = terminal
    termios.tcsetwinsize(out.fileno(), (0, 0))

    Console(out).progress("training")

    assert os.read(seen, 10_000).decode() == "   … training"
