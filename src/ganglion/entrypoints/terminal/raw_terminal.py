"""A person's terminal while it stands for another machine's: keys go there, and it is given back whatever happens."""

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_MODES_OFF = b"\x1b[?1047l\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?25h\x1b[0m"
"""Back to the plain screen, no reports of pastes and mice, a cursor, no colours: a program may have been cut off."""


def size_of(descriptor: int) -> tuple[int, int]:
    """Return columns and rows; of what is no terminal, or does not know, what is usual."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return 80, 24
    return max(1, size.columns), max(1, size.lines)


@contextlib.contextmanager
def raw_terminal(descriptor: int, out: int) -> Iterator[None]:
    """Let every key through, Ctrl-C too. Signals that end this program give the terminal back first."""
    before = termios.tcgetattr(descriptor)
    handlers = {number: signal.signal(number, _leave) for number in _ENDING}
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        with contextlib.suppress(OSError):
            os.write(out, _MODES_OFF)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def on_resize(tell: Callable[[], None], *, wakes: int) -> Iterator[None]:
    """Call `tell` whenever the terminal has another size, and write to `wakes` at every signal.

    A signal may reach a thread that does not handle it: whoever waits in `select` has to be woken.
    """
    before = signal.signal(signal.SIGWINCH, lambda _number, _frame: tell())
    woken_before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_before)
        signal.signal(signal.SIGWINCH, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
