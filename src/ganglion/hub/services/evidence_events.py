"""What nodes told of a rollout's version, by their events.

Of a rollout that has gone to many nodes only the newest events are read at each look, and all of them every few
minutes: an event may be as old as its node was away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from ganglion.hub.domain.rollout import Rollout
from ganglion.ports.telemetry_store import EventRow, TelemetryTransaction
from ganglion.wire.records import KNOWN_HERE

COMMITTED, ROLLED_BACK, QUARANTINED = "update.committed", "update.rolled_back", "version.quarantined"
MANY_NODES = 500
"""A rollout that was given to more nodes has too many events to read all of them at each look."""
REFRESHED_S = 300.0
_EVENTS_PER_NODE_MAX = 8
_EVENTS_MORE = 100
_PAGE = 1000
_LAG_NS = 60 * 1_000_000_000
_MINUTE_NS = 60 * 1_000_000_000
_S_IN_NS = 1e9


@dataclass(frozen=True, slots=True)
class Told:
    """What a node told of this rollout's version since it was last given it."""

    is_committed: bool = False
    is_rolled_back: bool = False
    reason: str = ""
    """Why it went back, in its newest words."""
    has_crashed: bool = False
    first_minute: int | None = None
    knew: bool = False
    """It had committed the version before: it takes such a one without comparing anything."""


NOTHING_TOLD = Told()


@dataclass(slots=True)
class Events:
    """The events of one rollout, as they were read so far."""

    told: dict[str, Told] = field(default_factory=dict)
    _read_at_s: float | None = None
    _newest_ns: int = 0
    _retried: Mapping[str, float] = field(default_factory=dict)
    _page: frozenset[tuple[str, str, int]] = frozenset()
    """The newest events that were read last: most of them are read again."""

    def read(self, records: TelemetryTransaction, rollout: Rollout, *, now_s: float) -> Mapping[str, Told]:
        """Return by node what was told. What came before a fresh attempt counts no more."""
        if not self._has_all(rollout, now_s) or not self._read_newest(records, rollout):
            limit = _EVENTS_PER_NODE_MAX * len(rollout.previous) + _EVENTS_MORE
            events = records.events(rollout_id=rollout.rollout_id, limit=limit)
            self.told, self._read_at_s, self._retried, self._page = {}, now_s, rollout.retried_at_s, frozenset()
            self._take(rollout, events)
        return self.told

    def _has_all(self, rollout: Rollout, now_s: float) -> bool:
        if len(rollout.previous) <= MANY_NODES or self._read_at_s is None or self._retried != rollout.retried_at_s:
            return False
        return 0.0 <= now_s - self._read_at_s < REFRESHED_S

    def _read_newest(self, records: TelemetryTransaction, rollout: Rollout) -> bool:
        """Take the newest events in. False: they are so many that some between them and those before may be missing."""
        events = records.events(rollout_id=rollout.rollout_id, limit=_PAGE)
        if len(events) == _PAGE and events[-1].corrected_at_ns > self._newest_ns - _LAG_NS:
            return False
        known, self._page = self._page, frozenset((event.node_id, event.epoch, event.seq) for event in events)
        self._take(rollout, (event for event in events if (event.node_id, event.epoch, event.seq) not in known))
        return True

    def _take(self, rollout: Rollout, events: Iterable[EventRow]) -> None:
        """Add what events say, the newest first; one that is read again says nothing new."""
        for event in events:
            self._newest_ns = max(self._newest_ns, event.corrected_at_ns)
            is_fresh = event.corrected_at_ns >= rollout.retried_at_s.get(event.node_id, 0.0) * _S_IN_NS
            if is_fresh and (event.model, event.version) == (rollout.model, rollout.version):
                self.told[event.node_id] = _with(self.told.get(event.node_id, NOTHING_TOLD), event)


def _with(told: Told, event: EventRow) -> Told:
    minute = event.corrected_at_ns // _MINUTE_NS
    is_back = event.name == ROLLED_BACK
    return replace(
        told,
        is_committed=told.is_committed or event.name == COMMITTED,
        is_rolled_back=told.is_rolled_back or is_back,
        reason=event.reason if is_back and not told.is_rolled_back else told.reason,
        has_crashed=told.has_crashed or event.name == QUARANTINED,
        first_minute=minute if told.first_minute is None else min(told.first_minute, minute),
        knew=told.knew or KNOWN_HERE in msgspec.json.decode(event.facts, type=dict[str, str]),
    )
