"""Reads what versions did on nodes, by hour, with few reads however long a stage lasts.

Minutes that are over are added up once and kept; each look reads the newest minutes alone. Records may come late, so
a part of the nodes is read anew at each look, until everything was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.hub.domain.gate.evidence import HOUR_MINUTES, NOTHING, merged
from ganglion.ports.telemetry_store import TelemetryTransaction

ROWS_READ_MAX = 4000
"""Minutes of nodes that are read at once without keeping anything."""
_ROWS_AT_ONCE = 1000
"""Minutes of nodes that are read at a time, of those that are read for the first time."""
_FRESH_MINUTES = 2
"""The newest minutes still grow."""
HOURS_APART = 14 * 24
"""Older hours are counted as one."""
_ROUND = 120
"""Looks until every node was read anew."""

Hours = dict[int, Behaviour]


@dataclass(slots=True)
class Steps:
    """How many parts of what is read for the first time a look may still read."""

    left: int

    def all_of(self, readings: Iterable[Callable[[], bool]]) -> bool:
        """Read part by part, until each says that nothing is left; False: there was no step left for that."""
        for read_some in readings:
            while not read_some():
                self.left -= 1
                if self.left <= 0:
                    return False
        return True


class Counts:
    """The counts of one version on some nodes since a minute. One thread at a time."""

    def __init__(self, *, model: str, version: str, since_minute: int) -> None:
        self._model, self._version, self._since = model, version, since_minute
        self._until = self._now = since_minute
        self._kept: dict[str, Hours] = {}
        self._looks = 0

    def read(self, records: TelemetryTransaction, node_ids: Sequence[str], *, minute: int) -> dict[str, Hours]:
        """Return by node and hour what is known in this minute."""
        self._now = minute
        if len(node_ids) * (minute - self._since + 1) <= ROWS_READ_MAX:
            return self._between(records, node_ids, self._since, None)
        self._catch_up(records, node_ids, minute)
        fresh = self._between(records, node_ids, self._until, None)
        return {
            node_id: _sum(self._kept.get(node_id, {}), fresh.get(node_id, {}))
            for node_id in node_ids
            if self._kept.get(node_id) or node_id in fresh
        }

    def read_some(self, records: TelemetryTransaction, node_ids: Sequence[str], *, minute: int) -> bool:
        """Keep what some nodes did of which nothing is kept; say whether there was nobody left.

        Then `read` has little to do. What few nodes did is left to it.
        """
        minutes = minute - self._since + 1
        if len(node_ids) * minutes <= ROWS_READ_MAX:
            return True
        self._now = minute
        if not self._kept:
            self._until = max(self._until, minute - _FRESH_MINUTES)
        new = [node_id for node_id in node_ids if node_id not in self._kept]
        self._keep_anew(records, new[: max(1, _ROWS_AT_ONCE // minutes)], self._until)
        return not new

    def _catch_up(self, records: TelemetryTransaction, node_ids: Sequence[str], minute: int) -> None:
        until = max(self._until, minute - _FRESH_MINUTES)
        new = [node_id for node_id in node_ids if node_id not in self._kept]
        self._keep_anew(records, new, self._until)
        if until > self._until:
            for node_id, hours in self._between(records, node_ids, self._until, until).items():
                self._kept[node_id] = _sum(self._kept[node_id], hours)
            self._until = until
        self._looks += 1
        self._keep_anew(records, node_ids[self._looks % _ROUND :: _ROUND], until)

    def _keep_anew(self, records: TelemetryTransaction, node_ids: Sequence[str], until: int) -> None:
        found = self._between(records, node_ids, self._since, until) if node_ids and until > self._since else {}
        for node_id in node_ids:
            self._kept[node_id] = found.get(node_id, {})

    def _between(
        self, records: TelemetryTransaction, node_ids: Sequence[str], since: int, until: int | None
    ) -> dict[str, Hours]:
        """Return the counts hour by hour; without `until` the last hour has no end, for clocks may run ahead."""
        found: dict[str, Hours] = {}
        last = self._last_hour(since, until)
        first = max(since // HOUR_MINUTES, last - HOURS_APART + 1)
        for hour in range(first, last + 1):
            ends = None if until is None and hour == last else (hour + 1) * HOUR_MINUTES
            counted = records.behaviour(
                node_ids=node_ids,
                model=self._model,
                version=self._version,
                since_minute=since if hour == first else hour * HOUR_MINUTES,
                until_minute=ends if until is None or ends is None else min(ends, until),
            )
            for node_id, behaviour in counted.items():
                found.setdefault(node_id, {})[hour] = behaviour
        return found

    def _last_hour(self, since: int, until: int | None) -> int:
        return max(since, self._now if until is None else until - 1) // HOUR_MINUTES


def total(hours: Hours) -> Behaviour:
    """Return the sum of all hours. Nobody may change it: it may be one of them."""
    if not hours:
        return NOTHING
    return next(iter(hours.values())) if len(hours) == 1 else merged(hours.values())


class Past:
    """What one version did on some nodes in a time that is over. One thread at a time."""

    def __init__(self, *, model: str, version: str, since_minute: int, until_minute: int) -> None:
        self._model, self._version = model, version
        self._since, self._until = since_minute, until_minute
        self._kept: dict[str, Behaviour | None] = {}

    def of(self, node_id: str) -> Behaviour | None:
        """Return what was done on a node, or None: nothing, or it was not read."""
        return self._kept.get(node_id)

    def read_some(self, records: TelemetryTransaction, node_ids: Iterable[str]) -> bool:
        """Read what some of these nodes did of which it is not known; say whether there was nobody left."""
        new, minutes = [node_id for node_id in node_ids if node_id not in self._kept], self._until - self._since
        some = new if len(new) * minutes <= ROWS_READ_MAX else new[: max(1, _ROWS_AT_ONCE // minutes)]
        if some:
            found = records.behaviour(
                node_ids=some,
                model=self._model,
                version=self._version,
                since_minute=self._since,
                until_minute=self._until,
            )
            self._kept |= {node_id: found.get(node_id) for node_id in some}
        return not new


def _sum(one: Mapping[int, Behaviour], other: Mapping[int, Behaviour]) -> Hours:
    """Return the sum by hour. What is in one of them alone is not copied: nobody changes counts that were read."""
    total: Hours = {**one, **other}
    for hour in one.keys() & other.keys():
        total[hour] = _plus(one[hour], other[hour])
    return total


def _plus(one: Behaviour, other: Behaviour) -> Behaviour:
    total = Behaviour(
        requests=one.requests,
        errors=one.errors,
        latency_us=_copied(one.latency_us),
        confidence=[*one.confidence],
        classes={**one.classes},
        compared=one.compared,
        agreed=one.agreed,
        compared_latency_us=_copied(one.compared_latency_us),
        compared_failed=one.compared_failed,
        quality={name: [*counts] for name, counts in one.quality.items()},
        inputs={name: [*counts] for name, counts in one.inputs.items()},
        compared_confidence=[*one.compared_confidence],
    )
    total.merge(other)
    return total


def _copied(histogram: Histogram) -> Histogram:
    return Histogram(buckets={**histogram.buckets}, zeros=histogram.zeros, total=histogram.total)
