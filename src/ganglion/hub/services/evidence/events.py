"""What nodes told of a rollout's version, by their events.

Of a rollout that has gone to many nodes only events that came since are read at each look. Every few minutes all of
them are read anew, for after some were removed, a new one may have the number of an old one: a part of them at each
look, beside those that are known, whose place they take in the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.ports.telemetry_store import EventRow, TelemetryTransaction
from ganglion.wire.records import KNOWN_HERE

COMMITTED, ROLLED_BACK, QUARANTINED = "update.committed", "update.rolled_back", "version.quarantined"
MANY_NODES = 500
"""A rollout that was given to more nodes has too many events to read all of them at each look."""
REFRESHED_S = 300.0
AT_ONCE = 1500
_EVENTS_PER_NODE_MAX = 8
_EVENTS_MORE = 100
_MINUTE_NS = 60 * 1_000_000_000
_S_IN_NS = 1e9


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a node told of this rollout's version since it was last given it. There are as many as nodes."""

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
class _Heard:
    """What was heard of nodes up to one event."""

    told: dict[str, Told] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    number: int = 0

    def read_on(
        self, records: TelemetryTransaction, rollout: Rollout, *, limit: int | None = None
    ) -> Sequence[EventRow]:
        """Add the next events; return them."""
        events, self.number = records.events_since(rollout.rollout_id, self.number, limit=limit)
        self.take(rollout, events)
        return events

    def take(self, rollout: Rollout, events: Iterable[EventRow]) -> None:
        """Add what events say, in whatever order; one that is read again says nothing new."""
        for event in events:
            is_fresh = event.corrected_at_ns >= rollout.retried_at_s.get(event.node_id, 0.0) * _S_IN_NS
            if is_fresh and (event.model, event.version) == (rollout.model, rollout.version):
                told = _with(self.told.get(event.node_id, NOTHING_TOLD), event)
                self.told[event.node_id] = told
                if told.is_rolled_back or told.has_crashed:
                    self.failed.add(event.node_id)


@dataclass(slots=True)
class Events:
    """The events of one rollout, as they were read so far."""

    many_nodes: int = MANY_NODES
    at_once: int = AT_ONCE
    """So many are read at a time, of those that are read for the first time or anew."""
    _heard: _Heard = field(default_factory=_Heard)
    _news: set[str] | None = None
    _anew: _Heard | None = None
    """What was heard of those that are read anew."""
    _read_at_s: float | None = None
    _retried: Mapping[str, float] = field(default_factory=dict)

    @property
    def told(self) -> Mapping[str, Told]:
        """Return by node what was told."""
        return self._heard.told

    @property
    def committed(self) -> set[str]:
        """Return the nodes that told of a commit."""
        return {node_id for node_id, told in self.told.items() if told.is_committed}

    def has_committed(self, node_id: str) -> bool:
        """Say whether a node told of a commit."""
        return self.told.get(node_id, NOTHING_TOLD).is_committed

    @property
    def failed(self) -> set[str]:
        """Return the nodes that told of a return or of crashes."""
        return self._heard.failed

    def taken_news(self) -> set[str] | None:
        """Return the nodes that told something since this was last asked, or None: it cannot be said."""
        news, self._news = self._news, set()
        return news

    def read(self, records: TelemetryTransaction, rollout: Rollout, *, now_s: float) -> Mapping[str, Told]:
        """Return by node what was told. What came before a fresh attempt counts no more."""
        while not self.read_some(records, rollout, now_s=now_s):
            pass
        return self.told

    def read_some(self, records: TelemetryTransaction, rollout: Rollout, *, now_s: float) -> bool:
        """Read what is new; say whether nothing is left out, as it may be when many are read for the first time."""
        if len(rollout.previous) <= self.many_nodes:
            limit = _EVENTS_PER_NODE_MAX * len(rollout.previous) + _EVENTS_MORE
            self._heard, self._anew, self._read_at_s, self._news = _Heard(), None, None, None
            self._heard.take(rollout, records.events(rollout_id=rollout.rollout_id, limit=limit))
            return True
        if self._read_at_s is None or self._retried != rollout.retried_at_s:
            if self._anew is None or self._retried != rollout.retried_at_s:
                self._anew, self._retried, self._read_at_s = _Heard(), rollout.retried_at_s, None
            self._read_anew(records, rollout, now_s)
            return self._read_at_s is not None
        news = [event.node_id for event in self._heard.read_on(records, rollout)]
        if self._news is not None:
            self._news.update(news)
        if not 0.0 <= now_s - self._read_at_s < REFRESHED_S:
            self._anew = self._anew or _Heard()
            self._read_anew(records, rollout, now_s)
        return True

    def _read_anew(self, records: TelemetryTransaction, rollout: Rollout, now_s: float) -> None:
        """Read a part; with the last one it is all that is known."""
        assert self._anew is not None, "whoever calls has begun to read anew"
        if len(self._anew.read_on(records, rollout, limit=self.at_once)) < self.at_once:
            self._heard, self._anew, self._read_at_s, self._news = self._anew, None, now_s, None


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
