"""May a version that is proven begin to answer now? No I/O; the caller knows what time it is, and where."""

from datetime import UTC, datetime

from ganglion.core import install_windows
from ganglion.node.domain.update.table import Update
from ganglion.trust.clock_floor import BUILT_AT_S

_DEVIATION_S_MAX = 600.0
"""A clock this far from the hub's would open windows at times that nobody meant."""


def reason_to_wait(update: Update, now: datetime, *, hub_s: float | None) -> str:
    """Return why the version must wait, or "" when it may answer.

    `now` is what the machine's clock shows, in the zone that the windows are meant in; `hub_s` is the hub's time in
    seconds since 1970, as far as the hub has told it. A version that this node has committed before never waits: going
    back must not. Raises: InvalidRequest: a window cannot be read.
    """
    windows = install_windows.checked(update.assignment.policy.install_windows)
    if not windows or update.was_committed:
        return ""
    if doubt := _doubt(now.timestamp(), hub_s):
        return f"waits for its window, and nobody knows when that is: {doubt}"
    if install_windows.is_open(windows, now):
        return ""
    opening = install_windows.next_opening(windows, now)
    if opening is None:
        return "waits for its window, and none will open any more"
    return f"waits for its window, which opens at {opening.isoformat(' ', 'minutes')}"


def _doubt(now_s: float, hub_s: float | None) -> str:
    if now_s < BUILT_AT_S:
        shown = datetime.fromtimestamp(now_s, UTC).date().isoformat()
        return f"this machine's clock shows {shown}, a day before this release was made"
    if hub_s is not None and abs(now_s - hub_s) > _DEVIATION_S_MAX:
        side = "ahead of" if now_s > hub_s else "behind"
        return f"this machine's clock is {abs(now_s - hub_s) / 60:,.0f} minutes {side} the hub's"
    return ""
