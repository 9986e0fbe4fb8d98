"""Which time signed metadata is judged by, on a machine whose clock may be wrong.

A clock that was set back would make expired metadata fresh again, so time never goes back behind what was seen: when
this release was made, when metadata was last found good, what the hub says now. A little lag is made up for; more
is a wrong clock, and nothing is installed by it.
"""

from typing import Final

from ganglion.core.trust_errors import ClockWrong

BUILT_AT_S: Final = 1_767_225_600.0
"""2026-01-01. No machine runs this release at an earlier date."""
_LAG_S_MAX: Final = 86_400.0


def reference_s(now_s: float, *, seen_s: float, hub_s: float | None) -> float:
    """Return the time to judge by. All in seconds since 1970: the clock, the newest time seen, what the hub says.

    Raises: ClockWrong: the clock is more than a day behind.
    """
    floor_s = max(seen_s, hub_s or 0.0)
    if now_s < floor_s - _LAG_S_MAX:
        days = (floor_s - now_s) / _LAG_S_MAX
        raise ClockWrong(f"this machine's clock is {days:,.0f} days behind the newest time that it has seen")
    return max(now_s, floor_s)


def remembered_s(reference_s: float, *, seen_s: float, hub_s: float | None) -> float:
    """Return the newest time to remember: of a clock that is ahead, no more than the hub confirms.

    Otherwise a clock that is set right later would look as if it had been set back.
    """
    return reference_s if hub_s is None else max(seen_s, min(reference_s, hub_s))


def check_not_ahead(now_s: float, *, hub_s: float | None) -> None:
    """Say whether it is the clock that makes metadata look expired. Raises: ClockWrong: it is far from the hub's."""
    if hub_s is not None and now_s > hub_s + _LAG_S_MAX:
        days = (now_s - hub_s) / _LAG_S_MAX
        raise ClockWrong(f"this machine's clock is {days:,.0f} days ahead of the hub's")
