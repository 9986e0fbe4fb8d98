"""The hub's two databases for large fleets: the memory stores of the test kit, with look-ups in place of searches.

Transactions see the tables themselves: one thread, and services that check before they write, need no copy.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

from ganglion.core.behaviour import Behaviour
from ganglion.ports.hub_store import AssignmentRow, NodeRow
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.memory_control import ControlTables, MemoryControlTransaction
from ganglion.testing.memory_telemetry import MemoryTelemetryTransaction, TelemetryTables


class _ControlTransaction(MemoryControlTransaction):
    def put_node(self, row: NodeRow) -> None:
        """Insert or replace; the world gives every node a name of its own."""
        self._tables.nodes[row.node_id] = row

    def nodes(self) -> Sequence[NodeRow]:
        """Return every node; they were added in the order of their names."""
        return list(self._tables.nodes.values())

    def assignments(self, *, node_id: str | None = None, model: str | None = None) -> Sequence[AssignmentRow]:
        """Return rows by node and model."""
        if node_id is None:
            rows = self._tables.assignments.items()
            return [row for (_, name), row in rows if model in {None, name}]
        if model is None:
            found = [self._tables.assignments.get((node_id, name)) for name in self._models()]
            return [row for row in found if row is not None]
        row = self._tables.assignments.get((node_id, model))
        return [row] if row is not None else []

    def _models(self) -> list[str]:
        return sorted({name for name, _, _ in self._tables.releases})


class WorldControlStore:
    """See `ports.hub_store.ControlStore`."""

    def __init__(self) -> None:
        self.tables = ControlTables()

    @contextmanager
    def read(self) -> Iterator[MemoryControlTransaction]:
        """Open a transaction."""
        yield _ControlTransaction(self.tables)

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[MemoryControlTransaction]:  # noqa: ARG002 - memory loses all
        """Open a transaction."""
        yield _ControlTransaction(self.tables)

    def backup(self) -> ControlTables:
        """Return a copy; rows are values."""
        return replace(
            self.tables, **{column.name: dict(getattr(self.tables, column.name)) for column in fields(self.tables)}
        )


@dataclass(slots=True)
class _Counted:
    """The counts of one node and version, minute by minute, and their sum since the minute last asked for."""

    minutes: list[tuple[int, Behaviour]] = field(default_factory=list)
    since_minute: int = -1
    added: int = 0
    total: Behaviour = field(default_factory=Behaviour)

    def since(self, minute: int) -> Behaviour:
        if minute != self.since_minute:
            self.since_minute, self.added, self.total = minute, 0, Behaviour()
        for at, behaviour in self.minutes[self.added :]:
            if at >= minute:
                self.total.merge(behaviour)
        self.added = len(self.minutes)
        return self.total


class WorldTelemetryStore:
    """See `ports.telemetry_store.TelemetryStore`; of records it keeps none, for those are `hub_records`' business."""

    def __init__(self) -> None:
        self.by_rollout: dict[str, list[EventRow]] = {}
        self._counted: dict[tuple[str, str, str], _Counted] = {}

    @contextmanager
    def read(self) -> Iterator[MemoryTelemetryTransaction]:
        """Open a transaction."""
        yield _TelemetryTransaction(self)

    @contextmanager
    def write(self) -> Iterator[MemoryTelemetryTransaction]:
        """Open a transaction."""
        yield _TelemetryTransaction(self)

    def tell(self, row: EventRow) -> None:
        """Add an event."""
        self.by_rollout.setdefault(row.rollout_id, []).append(row)

    def count(self, key: tuple[str, str, str], minute: int, behaviour: Behaviour) -> None:
        """Add counts of (node, model, version)."""
        self._counted.setdefault(key, _Counted()).minutes.append((minute, behaviour))

    def behaviour_since(self, key: tuple[str, str, str], minute: int) -> Behaviour | None:
        """Return the counts from a minute on. They belong to the store: whoever reads them leaves them as they are."""
        counted = self._counted.get(key)
        total = counted.since(minute) if counted is not None else None
        return total if total is not None and (total.requests or total.compared) else None

    def behaviour_in(self, key: tuple[str, str, str], since: int, until: int) -> Behaviour | None:
        """Return the counts from a minute on and before another."""
        counted = self._counted.get(key)
        some = [behaviour for at, behaviour in counted.minutes if since <= at < until] if counted else []
        total = Behaviour()
        for behaviour in some:
            total.merge(behaviour)
        return total if some else None

    def forget_counts(self) -> None:
        """Drop all counts: no rollout is open, so nobody will look at them."""
        self._counted.clear()

    def backup(self) -> dict[str, list[EventRow]]:
        """Return a copy of the events."""
        return {rollout_id: list(rows) for rollout_id, rows in self.by_rollout.items()}


class _TelemetryTransaction(MemoryTelemetryTransaction):
    def __init__(self, store: WorldTelemetryStore) -> None:
        super().__init__(TelemetryTables())
        self._store = store

    def behaviour(
        self, *, node_ids: Sequence[str], model: str, version: str, since_minute: int, until_minute: int | None = None
    ) -> dict[str, Behaviour]:
        """Return the counts of each node that has any."""
        keys = {each: (each, model, version) for each in node_ids}
        if until_minute is None:
            found = {each: self._store.behaviour_since(key, since_minute) for each, key in keys.items()}
        else:
            found = {each: self._store.behaviour_in(key, since_minute, until_minute) for each, key in keys.items()}
        return {node_id: behaviour for node_id, behaviour in found.items() if behaviour is not None}

    def events(
        self, *, node_id: str | None = None, rollout_id: str | None = None, limit: int = 100
    ) -> Sequence[EventRow]:
        """Return events, newest first."""
        rows = self._store.by_rollout.get(rollout_id or "", [])
        wanted = [row for row in rows if node_id in {None, row.node_id}]
        return sorted(wanted, key=lambda row: (row.at_ns, row.node_id, row.epoch, row.seq), reverse=True)[:limit]

    def events_since(self, rollout_id: str, number: int, *, limit: int | None = None) -> tuple[Sequence[EventRow], int]:
        """Return what came after so many events, and how many there are up to the last one of it."""
        found = self._store.by_rollout.get(rollout_id, [])
        end = len(found) if limit is None else min(len(found), number + limit)
        return found[number:end], end
