"""Wait for a condition, with a deadline and a name. Never a plain sleep."""

import threading
from collections.abc import Callable
from typing import TypeVar

from ganglion.adapters.system import SystemClock
from ganglion.core.errors import Unavailable

T = TypeVar("T")

_LOOK_AGAIN_S = 0.05


def wait_until(condition: Callable[[], T | None], *, what: str, timeout_s: float) -> T:
    """Return the first true value of `condition`. Raises: Unavailable: `what` did not come true in time."""
    clock, pause = SystemClock(), threading.Event()
    deadline_s = clock.monotonic_s() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if clock.monotonic_s() >= deadline_s:
            raise Unavailable(f"waited {timeout_s:.0f} s in vain for {what}")
        pause.wait(_LOOK_AGAIN_S)
