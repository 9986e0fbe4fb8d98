"""How the demo ends before its time: whichever signal comes, what was started is ended, and the data is removed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, `kill` and `timeout`, and a terminal that is closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXIT_BY_SIGNAL = 128


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Turn the first signal into an exception, so that every context ends; ignore those that come meanwhile."""
    # What is ignored already stays ignored: nohup is meant.
    heeded = {number: old for number in _SIGNALS if (old := signal.getsignal(number)) is not signal.SIG_IGN}

    def end(number: int, _frame: FrameType | None) -> None:
        for each in heeded:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(_EXIT_BY_SIGNAL + number)

    for number in heeded:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, old in heeded.items():
            signal.signal(number, old)
