"""How a process ended, in words."""

import signal
from collections.abc import Sequence

from ganglion.adapters.run_marks import Label


def why_ended(code: int, suspects: Sequence[Label], *, is_hung: bool) -> str:
    """Return why a process ended with this status, and what it ran then."""
    running = " or ".join(f"{label.model} version {label.version}" for label in suspects)
    if is_hung:
        return f"{running} did not come back"
    how = f"by {_name(-code)}" if code < 0 else f"with status {code}"
    return f"{how}, in {running}" if running else how


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
