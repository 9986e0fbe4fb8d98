"""Knows what time it is on this machine, and where it stands, for versions that wait for a window."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from ganglion.core.errors import NotFound
from ganglion.node.domain.update import install_time
from ganglion.node.domain.update.table import Update
from ganglion.ports.clock import Clock, utc_s

LOOK_S = 5.0
"""Pause between two looks whether a window has opened."""


def _utc(_name: str) -> tzinfo:
    return UTC


def _untold() -> float | None:
    return None


class InstallTimes:
    """Answers whether a version may begin to answer now."""

    def __init__(
        self, clock: Clock, *, zone: Callable[[str], tzinfo] = _utc, hub_time_s: Callable[[], float | None] = _untold
    ) -> None:
        """`zone` returns a time zone by its name, "" being the machine's own, or raises NotFound."""
        self._clock, self.zone, self._hub_time_s = clock, zone, hub_time_s

    def reason_to_wait(self, update: Update, zone_name: str) -> str:
        """Return why the version must wait, or "" when it may answer. Raises: InvalidRequest: see `install_time`."""
        try:
            zone = self.zone(zone_name)
        except NotFound as error:
            # In whose time would the window be? Rather not at all than at the wrong hour.
            return f"waits for its window, and nobody knows when that is: {error.message}"
        now = datetime.fromtimestamp(utc_s(self._clock), zone)
        return install_time.reason_to_wait(update, now, hub_s=self._hub_time_s())
