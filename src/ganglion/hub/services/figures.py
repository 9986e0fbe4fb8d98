"""Figures of the fleet, kept day by day: looks at the nodes, and what rollouts took."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain import figures
from ganglion.hub.domain.figures import Day, Look, Seen
from ganglion.hub.services.organisation.groups import IN_SERVICE
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, DocumentRow, NodeQuery, NodeRow
from ganglion.wire import codec
from ganglion.wire.desired import NodeReport
from ganglion.wire.figures_resources import DayFigures, FleetFigures

KIND = "figures"
DAYS = 30
"""How far back the figures look that are kept with each day, and those that Prometheus reads."""
DAYS_MAX = 400
_PAGE = 1000
_DAY_S = 86_400.0


class Figures:
    """Looks at the fleet and tells how it is run. Safe to use from many threads."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        last_seen_at_s: Callable[[NodeRow], float | None],
        reachable_within_s: float,
    ) -> None:
        self._control, self._clock = control, clock
        self._last_seen_at_s, self._reachable_within_s = last_seen_at_s, reachable_within_s

    def take_look(self) -> None:
        """Add a look to the day, with the figures up to now. Call it hourly."""
        now_s = utc_s(self._clock)
        found = figures.look(self._seen(now_s), reachable_within_s=self._reachable_within_s)
        with self._control.read() as tx:
            counted = _figures(tx, with_day=found, days=DAYS, now_s=now_s)
        with self._control.write() as tx:
            day = msgspec.structs.replace(figures.with_look(_day(tx, _name(now_s)), found), figures=counted)
            tx.put_document(DocumentRow(KIND, _name(now_s), codec.encode_json(day), now_s))
            for row in tx.documents(KIND)[:-DAYS_MAX]:
                tx.remove_document(KIND, row.name)

    def now(self, days: int = DAYS) -> FleetFigures:
        """Return the figures of the last days; what nodes are like is of the last look. Raises: InvalidRequest."""
        _check(days)
        with self._control.read() as tx:
            return _figures(tx, with_day=None, days=days, now_s=utc_s(self._clock))

    def history(self, days: int) -> list[DayFigures]:
        """Return the days that were kept, oldest first. Raises: InvalidRequest."""
        _check(days)
        with self._control.read() as tx:
            kept = [(row.name, codec.decode_json(row.document, Day)) for row in tx.documents(KIND)[-days:]]
        return [
            DayFigures(day=name, looks=day.looks, figures=day.figures) for name, day in kept if day.figures is not None
        ]

    def gauges(self) -> Mapping[str, float]:
        """Return the newest kept figures that are single numbers, by a name with its unit."""
        with self._control.read() as tx:
            kept = tx.documents(KIND)[-1:]
        day = codec.decode_json(kept[0].document, Day) if kept else Day()
        if day.figures is None:
            return {}
        told = day.figures
        found = {
            "deployment_time_median_seconds": told.deployment_time_s.median_s,
            "update_success_ratio": told.update_success.share,
            "failed_update_recovery_mean_seconds": told.failed_update_recovery_s.mean_s,
            "time_to_detect_mean_seconds": told.time_to_detect_s.mean_s,
            "time_to_resolve_mean_seconds": told.time_to_resolve_s.mean_s,
            "sync_lag_median_seconds": told.sync_lag_s.median_s,
            "sync_lag_max_seconds": told.sync_lag_s.max_s,
            "records_waiting": float(told.records_waiting),
            "uptime_ratio": told.uptime.share,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _seen(self, now_s: float) -> Iterator[Seen]:
        """Yield the nodes in service, read page by page: a large fleet is never in memory at once."""
        after = ""
        while True:
            with self._control.read() as tx:
                rows = tx.find_nodes(NodeQuery(standings=IN_SERVICE, after=after, limit=_PAGE))
            for row in rows:
                yield self._node(row, now_s)
            if len(rows) < _PAGE:
                return
            after = rows[-1].name

    def _node(self, row: NodeRow, now_s: float) -> Seen:
        report = codec.decode_json(row.report, NodeReport) if row.report else None
        seen_at_s = self._last_seen_at_s(row)
        return Seen(
            lag_s=None if seen_at_s is None else now_s - seen_at_s,
            waiting=report.waiting if report else 0,
            served={each.model: each.version for each in report.models if each.version} if report else {},
        )


def _figures(tx: ControlTransaction, *, with_day: Look | None, days: int, now_s: float) -> FleetFigures:
    """Return the figures up to now; `with_day` is a look that is not kept yet."""
    from_s = now_s - days * _DAY_S
    kept = [codec.decode_json(row.document, Day) for row in tx.documents(KIND) if row.name > _name(from_s)]
    if with_day is not None:
        kept.append(figures.with_look(Day(), with_day))
    released: dict[tuple[str, str], float] = {}
    for row in tx.releases():
        key = row.model, row.version
        released[key] = min(row.released_at_s, released.get(key, row.released_at_s))
    # A rollout that ended in this time was changed in it.
    ended = [row for row in tx.rollouts(states=("completed", "aborted")) if row.updated_at_s >= from_s]
    rollouts = [(rollout_rows.short(row), released.get((row.model, row.version))) for row in ended]
    return figures.figures(rollouts, kept, from_s=from_s, to_s=now_s)


def _day(tx: ControlTransaction, name: str) -> Day:
    row = tx.document(KIND, name)
    return codec.decode_json(row.document, Day) if row else Day()


def _name(at_s: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)).date().isoformat()


def _check(days: int) -> None:
    if not 1 <= days <= DAYS_MAX:
        raise InvalidRequest(f"days lies between 1 and {DAYS_MAX}")
