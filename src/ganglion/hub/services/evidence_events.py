"""What nodes told of a rollout's version, by their events.

Of a rollout that has gone to many nodes only events that came since are read at each look, and all of them every few
minutes: after some were removed, a new one may have the number of an old one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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
_MINUTE_NS = 60 * 1_000_000_000
_S_IN_NS = 1e9


class Told(NamedTuple):
    """What a node told of this rollout's version since it was last given it. A tuple: there are as many as nodes."""

    is_committed: bool = False
    is_rolled_back: bool = False
    reason: str = ""
    """Why it went back, in its newest words."""
    has_crashed: bool = False
    first_minute: int | None = None
    knew: bool = False
    """It had committed the version before: it takes such a one without comparing anything."""
    newest_words: tuple[int, str, int] = (0, "", 0)
    """When the reason was given, and in which event."""


NOTHING_TOLD = Told()


@dataclass(slots=True)
class Events:
    """The events of one rollout, as they were read so far."""

    told: dict[str, Told] = field(default_factory=dict)
    committed: set[str] = field(default_factory=set)
    """The nodes that told of a commit, and …"""
    failed: set[str] = field(default_factory=set)
    """… of a return or of crashes."""
    _read_at_s: float | None = None
    _number: int = 0
    _retried: Mapping[str, float] = field(default_factory=dict)

    def read(self, records: TelemetryTransaction, rollout: Rollout, *, now_s: float) -> Mapping[str, Told]:
        """Return by node what was told. What came before a fresh attempt counts no more."""
        if len(rollout.previous) <= MANY_NODES:
            limit = _EVENTS_PER_NODE_MAX * len(rollout.previous) + _EVENTS_MORE
            self._forget()
            self._take(rollout, records.events(rollout_id=rollout.rollout_id, limit=limit))
            return self.told
        if not self._has_all(rollout, now_s):
            self._forget()
            self._read_at_s, self._retried = now_s, rollout.retried_at_s
        events, self._number = records.events_since(rollout.rollout_id, self._number)
        self._take(rollout, events)
        return self.told

    def _has_all(self, rollout: Rollout, now_s: float) -> bool:
        if self._read_at_s is None or self._retried != rollout.retried_at_s:
            return False
        return 0.0 <= now_s - self._read_at_s < REFRESHED_S

    def _forget(self) -> None:
        self.told, self.committed, self.failed = {}, set(), set()
        self._number, self._read_at_s = 0, None

    def _take(self, rollout: Rollout, events: Iterable[EventRow]) -> None:
        """Add what events say, in whatever order; one that is read again says nothing new."""
        for event in events:
            is_fresh = event.corrected_at_ns >= rollout.retried_at_s.get(event.node_id, 0.0) * _S_IN_NS
            if is_fresh and (event.model, event.version) == (rollout.model, rollout.version):
                told = _with(self.told.get(event.node_id, NOTHING_TOLD), event)
                self.told[event.node_id] = told
                if told.is_committed:
                    self.committed.add(event.node_id)
                if told.is_rolled_back or told.has_crashed:
                    self.failed.add(event.node_id)


def _with(told: Told, event: EventRow) -> Told:
    minute = event.corrected_at_ns // _MINUTE_NS
    words = event.corrected_at_ns, event.epoch, event.seq
    is_newer = event.name == ROLLED_BACK and (not told.is_rolled_back or words > told.newest_words)
    return Told(
        is_committed=told.is_committed or event.name == COMMITTED,
        is_rolled_back=told.is_rolled_back or event.name == ROLLED_BACK,
        reason=event.reason if is_newer else told.reason,
        has_crashed=told.has_crashed or event.name == QUARANTINED,
        first_minute=minute if told.first_minute is None else min(told.first_minute, minute),
        knew=told.knew or KNOWN_HERE in msgspec.json.decode(event.facts, type=dict[str, str]),
        newest_words=words if is_newer else told.newest_words,
    )
