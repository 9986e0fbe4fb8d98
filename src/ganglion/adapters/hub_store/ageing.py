"""What leaves the telemetry database: the oldest first, a bounded number of rows at a time."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from ganglion.adapters.hub_store import rows
from ganglion.adapters.hub_store import telemetry_tables as tables
from ganglion.core.behaviour import Behaviour

_ROW: sa.ColumnClause[int] = sa.literal_column("rowid", sa.Integer())
"""SQLite numbers rows as they come, so the oldest are found without an index that each new row would pay for."""
_HOUR_MINUTES = 60


class AgeingRows:
    """Removes and folds. Every call touches at most `limit` rows, so that whoever waits to write waits briefly."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def used_bytes(self) -> int:
        """Return what the rows take; the file itself may be larger, and fills its free pages first."""
        pages, free, size = (
            int(self._connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def remove_records(self, *, received_before_ns: int | None, limit: int) -> int:
        """Remove the records that came first, if they came before that time; with None, whenever they came.

        Audit records stay.
        """
        return self._remove_first(tables.records, received_before_ns, limit)

    def remove_audit_records(self, *, received_before_ns: int, limit: int) -> int:
        """Remove the audit records that came first, if they came before that time."""
        return self._remove_first(tables.audit_records, received_before_ns, limit)

    def _remove_first(self, table: sa.Table, received_before_ns: int | None, limit: int) -> int:
        oldest = sa.select(_ROW).select_from(table).order_by(_ROW).limit(limit)
        statement = sa.delete(table).where(_ROW.in_(oldest))
        if received_before_ns is not None:
            statement = statement.where(table.c.received_at_ns < received_before_ns)
        return self._connection.execute(statement).rowcount

    def remove_events(self, *, before_ns: int, limit: int) -> int:
        """Remove the oldest events from before that corrected time."""
        return self._remove_oldest(tables.events, tables.events.c.corrected_at_ns, before_ns, limit)

    def oldest_samples(
        self, *, before_ns: int, after: tuple[int, str] | None = None, limit: int
    ) -> Sequence[tuple[int, str]]:
        """Return (corrected_at_ns, sample_id) of the samples from before that time, oldest first, behind `after`."""
        columns = tables.samples.c
        query = sa.select(columns.corrected_at_ns, columns.sample_id).where(columns.corrected_at_ns < before_ns)
        if after is not None:
            at_and_id = sa.tuple_(columns.corrected_at_ns, columns.sample_id)
            query = query.where(at_and_id > sa.tuple_(*map(sa.literal, after)))
        query = query.order_by(columns.corrected_at_ns, columns.sample_id).limit(limit)
        return [(at_ns, sample_id) for at_ns, sample_id in self._connection.execute(query)]

    def remove_samples(self, sample_ids: Sequence[str]) -> int:
        """Remove these samples."""
        wanted = tables.samples.c.sample_id
        return sum(
            self._connection.execute(sa.delete(tables.samples).where(wanted.in_(some))).rowcount
            for some in rows.chunks(sample_ids)
        )

    def fold_rollups(self, *, before_minute: int, limit: int) -> int:
        """Add the oldest minutes from before that minute to their hours, and return how many minutes that were."""
        columns = tables.rollups.c
        query = sa.select(_ROW, columns.node_id, columns.model, columns.version, columns.minute, columns.behaviour)
        query = query.where(columns.minute < before_minute).order_by(columns.minute).limit(limit)
        found = self._connection.execute(query).all()
        hours: dict[tuple[str, str, str, int], Behaviour] = {}
        for _, node_id, model, version, minute, document in found:
            key = (node_id, model, version, minute // _HOUR_MINUTES)
            hours.setdefault(key, Behaviour()).merge(msgspec.msgpack.decode(document, type=Behaviour))
        for key, behaviour in hours.items():
            self._merge_hour(key, behaviour)
        self._connection.execute(sa.delete(tables.rollups).where(_ROW.in_([row[0] for row in found])))
        return len(found)

    def remove_rollup_hours(self, *, before_hour: int, limit: int) -> int:
        """Remove the oldest hours from before that hour, which is counted since 1970."""
        return self._remove_oldest(tables.rollup_hours, tables.rollup_hours.c.hour, before_hour, limit)

    def _merge_hour(self, key: tuple[str, str, str, int], behaviour: Behaviour) -> None:
        columns = tables.rollup_hours.c
        names = ("node_id", "model", "version", "hour")
        it = sa.and_(*(columns[name] == value for name, value in zip(names, key, strict=True)))
        stored = self._connection.execute(sa.select(columns.behaviour).where(it)).scalar_one_or_none()
        if stored is not None:
            behaviour.merge(msgspec.msgpack.decode(stored, type=Behaviour))
        new = dict(zip(names, key, strict=True)) | {"behaviour": msgspec.msgpack.encode(behaviour)}
        statement = insert(tables.rollup_hours).values(new)
        changed = {"behaviour": statement.excluded.behaviour}
        self._connection.execute(statement.on_conflict_do_update(index_elements=list(names), set_=changed))

    def _remove_oldest(self, table: sa.Table, age: sa.Column[Any], before: int, limit: int) -> int:
        oldest = sa.select(_ROW).select_from(table).where(age < before).order_by(age).limit(limit)
        return self._connection.execute(sa.delete(table).where(_ROW.in_(oldest))).rowcount
