"""Tells of refusals once each, and of few in a row: a hub that floods a node must not fill its audit chain."""

from collections.abc import Sequence

import msgspec

from ganglion.node.domain.sending.pace import Pace
from ganglion.node.services import limits
from ganglion.node.services.update import order_telling
from ganglion.wire.records import EventRecord

_BURST, _EVERY_S = 30, 60.0
_ORDERS_BURST, _ORDERS_EVERY_S = 60, 10.0
_EACH_ANOTHER = frozenset({order_telling.REFUSED, limits.REFUSED})


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


class RefusedOrders:
    """The same for commands and envelopes, each of which is another: what is not told is not written down either."""

    def __init__(self) -> None:
        self._pace = Pace(burst=_ORDERS_BURST, every_s=_ORDERS_EVERY_S)
        self._untold = 0

    def bounded(self, events: Sequence[EventRecord], *, now_s: float) -> list[EventRecord]:
        """Return the events without those of refusals that are too many."""
        found = [self.told(event, now_s=now_s) if event.name in _EACH_ANOTHER else event for event in events]
        return [event for event in found if event is not None]

    def told(self, event: EventRecord, *, now_s: float) -> EventRecord | None:
        """Return the event if it is to be told now, with the number of those that were not."""
        if self._pace.wait_s(now_s=now_s) > 0.0:
            self._untold += 1
            return None
        self._pace = self._pace.after(now_s=now_s)
        facts = {**event.facts, "untold": str(self._untold)} if self._untold else event.facts
        self._untold = 0
        return msgspec.structs.replace(event, facts=facts)
