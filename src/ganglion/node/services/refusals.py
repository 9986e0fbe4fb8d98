"""Tells of refusals once each, and of few in a row: a hub that floods a node must not fill its audit chain."""

from ganglion.node.domain.pace import Pace
from ganglion.wire.records import EventRecord

_BURST, _EVERY_S = 30, 60.0


class Refusals:
    """Counts what was not told, and tells the number with the next one that is."""

    def __init__(self) -> None:
        self._pace = Pace(burst=_BURST, every_s=_EVERY_S)
        self._untold = 0

    def told(self, event: EventRecord, before: str, *, now_s: float) -> list[EventRecord]:
        """Return the event if it is to be told now; `before` is the reason that was given last."""
        if event.reason == before:
            return []
        if self._pace.wait_s(now_s=now_s) > 0.0:
            self._untold += 1
            return []
        self._pace = self._pace.after(now_s=now_s)
        facts = {"untold": str(self._untold)} if self._untold else {}
        self._untold = 0
        return [EventRecord(name=event.name, reason=event.reason, facts=facts)]
