"""The telemetry database: implements `ports.telemetry_store`."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa

from ganglion.adapters.hub_store import rows
from ganglion.adapters.hub_store import telemetry_tables as tables
from ganglion.adapters.hub_store.ageing import AgeingRows
from ganglion.adapters.hub_store.database import Database, StoreLimits, open_database
from ganglion.adapters.hub_store.findings import FindingRows
from ganglion.core.behaviour import Behaviour
from ganglion.ports.telemetry_store import CursorRow, RecordRow, RollupKey, TelemetryTransaction
from ganglion.wire.records import RecordClass

_HOUR_MINUTES = 60
# What every batch asks is written out: to build and compile these statements would cost more than to run them.
_COLUMNS = ", ".join(tables.cursors.c.keys())
_CURSOR = f"SELECT {_COLUMNS} FROM cursors WHERE node_id = ? AND epoch = ?"  # noqa: S608 - names of ours
_PLACES = ", ".join("?" * len(tables.cursors.c))
_PUT_CURSOR = f"INSERT OR REPLACE INTO cursors ({_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608 - as above
_IT = "node_id = ? AND model = ? AND version = ? AND minute = ?"
_ROLLUP = f"SELECT behaviour FROM rollups WHERE {_IT}"  # noqa: S608 - as above
_PUT_ROLLUP = "INSERT OR REPLACE INTO rollups (node_id, model, version, minute, behaviour) VALUES (?, ?, ?, ?, ?)"


class TelemetryRows(FindingRows, AgeingRows):
    """Everything that one transaction can ask of the telemetry database."""

    def cursor(self, node_id: str, epoch: str) -> CursorRow | None:
        """Return up to where this epoch of the node is stored."""
        found = rows.driver(self._connection).execute(_CURSOR, (node_id, epoch)).fetchone()
        return None if found is None else CursorRow(*found)

    def put_cursor(self, row: CursorRow) -> None:
        """Insert, or replace the one of the same node and epoch."""
        rows.driver(self._connection).execute(_PUT_CURSOR, dataclasses.astuple(row))

    def cursors(self, node_id: str | None = None) -> Sequence[CursorRow]:
        """Return cursors by node and epoch."""
        columns = tables.cursors.c
        query = rows.select(tables.cursors, CursorRow).order_by(columns.node_id, columns.epoch)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        return rows.fetch(self._connection, query, CursorRow)

    def records_stored(self) -> int:
        """Return how many records of all nodes were ever stored."""
        counted = rows.driver(self._connection).execute("SELECT COALESCE(SUM(seq - gaps), 0) FROM cursors")
        return int(counted.fetchone()[0])

    def cursors_of(self, node_ids: Sequence[str]) -> Sequence[CursorRow]:
        """Return the cursors of these nodes, by node and epoch."""
        found = list[CursorRow]()
        for some in rows.chunks(node_ids):
            places = ", ".join("?" * len(some))
            statement = f"SELECT {_COLUMNS} FROM cursors WHERE node_id IN ({places})"  # noqa: S608 - names of ours
            found += (CursorRow(*row) for row in rows.driver(self._connection).execute(statement, some))
        return sorted(found, key=lambda row: (row.node_id, row.epoch))

    def add_records(self, new: Sequence[RecordRow]) -> None:
        """Add records; none may be there already."""
        audit = [row for row in new if row.record_class == RecordClass.AUDIT]
        others = [row for row in new if row.record_class != RecordClass.AUDIT] if audit else new
        rows.add(self._connection, tables.records, others)
        rows.add(self._connection, tables.audit_records, audit)

    def records(self, *, node_id: str, record_class: int, after: tuple[str, int], limit: int) -> Sequence[RecordRow]:
        """Return records of a node by (epoch, seq), beginning after the pair given."""
        table = tables.audit_records if record_class == RecordClass.AUDIT else tables.records
        columns = table.c
        later = sa.tuple_(columns.epoch, columns.seq) > sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        query = rows.select(table, RecordRow).where(columns.node_id == node_id, later)
        query = query.where(columns.record_class == record_class).order_by(columns.epoch, columns.seq).limit(limit)
        return rows.fetch(self._connection, query, RecordRow)

    def record(self, node_id: str, epoch: str, seq: int) -> RecordRow | None:
        """Return the record with this number, of whatever class."""
        for table in (tables.records, tables.audit_records):
            it = sa.and_(table.c.node_id == node_id, table.c.epoch == epoch, table.c.seq == seq)
            found = rows.fetch_one(self._connection, rows.select(table, RecordRow).where(it), RecordRow)
            if found is not None:
                return found
        return None

    def merge_rollup(self, key: RollupKey, behaviour: Behaviour) -> None:
        """Add these counts to what is stored under `key`."""
        it, driver = (key.node_id, key.model, key.version, key.minute), rows.driver(self._connection)
        stored = driver.execute(_ROLLUP, it).fetchone()
        merged = behaviour
        if stored is not None:
            merged = _behaviour(stored[0])
            merged.merge(behaviour)
        driver.execute(_PUT_ROLLUP, (*it, msgspec.msgpack.encode(merged)))

    def behaviour(
        self, *, node_ids: Sequence[str], model: str, version: str, since_minute: int, until_minute: int | None = None
    ) -> dict[str, Behaviour]:
        """Return the merged counts of each node that has any, from `since_minute` on, before `until_minute`."""
        minute, hour = tables.rollups.c.minute, tables.rollup_hours.c.hour
        minutes, hours = [minute >= since_minute], [hour * _HOUR_MINUTES >= since_minute]
        if until_minute is not None:
            minutes.append(minute < until_minute)
            hours.append((hour + 1) * _HOUR_MINUTES <= until_minute)
        merged: dict[str, Behaviour] = {}
        for table, times in ((tables.rollups, minutes), (tables.rollup_hours, hours)):
            columns = table.c
            query = sa.select(columns.node_id, columns.behaviour)
            query = query.where(columns.model == model, columns.version == version, *times)
            for some in rows.chunks(node_ids):
                for node_id, document in self._connection.execute(query.where(columns.node_id.in_(some))):
                    behaviour, known = _behaviour(document), merged.get(node_id)
                    if known is None:
                        merged[node_id] = behaviour
                    else:
                        known.merge(behaviour)
        return merged


class TelemetryDatabase:
    """The telemetry database, open. Safe to use from many threads; one thread writes at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator[TelemetryTransaction]:
        """Open a transaction that sees one moment."""
        with self._database.reading() as connection:
            yield TelemetryRows(connection)

    @contextmanager
    def write(self) -> Iterator[TelemetryTransaction]:
        """Open the one writing transaction; others wait. Raises: DiskUnusable, Overloaded."""
        with self._database.writing() as connection:
            yield TelemetryRows(connection)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def open_telemetry(path: Path, *, limits: StoreLimits | None = None) -> TelemetryDatabase:
    """Open or make the telemetry database, and bring it up to date.

    Raises: DataTooNew, DataCorrupt, DiskUnusable.
    """
    return TelemetryDatabase(open_database(path, "telemetry", limits or StoreLimits()))


def _behaviour(document: bytes) -> Behaviour:
    return msgspec.msgpack.decode(document, type=Behaviour)
