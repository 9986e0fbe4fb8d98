"""Looks at the node's health from time to time, for its reports."""

from ganglion.entrypoints.diagnosis.findings import examine
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.domain import health
from ganglion.node.domain.health import HealthLimits
from ganglion.ports.clock import Clock
from ganglion.wire.diagnosis import Verdict

_EVERY_S, _AGAIN_S = 60.0, 10.0
"""Pauses between looks at a node that is well, and at one that may be well soon: its models are loading."""


class HealthWatch:
    """Keeps what it last found for a minute: reports are composed more often than health changes."""

    def __init__(self, settings: NodeSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._unwell: dict[str, str] = {}
        self._looked_s: float | None = None

    def unwell(self) -> dict[str, str]:
        """Return what is not well, in the form of a report. Blocks; not for a thread with an event loop."""
        now_s = self._clock.monotonic_s()
        if self._looked_s is None or now_s - self._looked_s >= (_AGAIN_S if self._unwell else _EVERY_S):
            found = health.checks(examine(self._settings, clock=self._clock).facts, HealthLimits())
            self._unwell = {
                check.name: f"{check.verdict}: {check.fact}" for check in found if check.verdict is not Verdict.OK
            }
            self._looked_s = now_s
        return self._unwell
