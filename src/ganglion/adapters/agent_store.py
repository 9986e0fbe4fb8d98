"""The agent's database: state and outbox in one SQLite file, one connection, one writer.

Durability: synchronous=FULL in WAL mode, so a committed transaction survives power loss.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from ganglion.core.errors import DataCorrupt, DataTooNew, DiskUnusable
from ganglion.node.domain import outbox
from ganglion.ports.agent_store import JournalPosition, NewRecord, OutboxFigures
from ganglion.wire.messages import Envelope, RecordClass

SCHEMA = 1
T = TypeVar("T")
_ROW_OVERHEAD_BYTES = 40
"""What SQLite needs beside the payload, about; counted against the cap."""

_TABLES = """
create table if not exists meta (key text primary key, value) without rowid;
create table if not exists record (
    seq integer primary key, class integer not null, at_ns integer not null, payload blob not null,
    size integer not null
);
create index if not exists record_class on record (class, seq);
create table if not exists shed (class integer primary key, records integer not null);
"""


class SqliteAgentStore:
    """See `ports.agent_store.AgentStore`. Safe to call from any thread; calls run one after another."""

    def __init__(self, path: Path, *, cap_bytes: int, new_epoch: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self._cap_bytes = cap_bytes
        self._new_epoch = new_epoch
        self._db = _open(path)
        with self._transaction():
            if self._meta("epoch") is None:
                self._set_meta("epoch", new_epoch())
                self._set_meta("made", 0)
        self._held = self._measure()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def state(self) -> bytes | None:
        """Return the stored state."""
        with self._lock:
            value = self._meta("state")
            return bytes(value) if isinstance(value, bytes) else None

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        """Replace the state and append records in one transaction."""
        with self._lock, self._transaction():
            self._set_meta("state", state)
            self._append(records)

    def journal_position(self) -> JournalPosition:
        """Return how far the journal was taken in."""
        with self._lock:
            value = self._meta("journal")
            return msgspec.json.decode(value, type=JournalPosition) if isinstance(value, bytes) else JournalPosition()

    def take_journal(self, records: Sequence[NewRecord], position: JournalPosition) -> None:
        """Append records from the journal and remember the position in one transaction."""
        with self._lock, self._transaction():
            self._append(records)
            self._set_meta("journal", msgspec.json.encode(position))

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest records within both limits; a single larger one goes alone."""
        chosen: list[Envelope] = []
        total = 0
        with self._lock, self._transaction():
            rows = self._db.execute(
                "select seq, class, at_ns, payload from record order by seq limit ?", (records_max,)
            )
            for seq, record_class, at_ns, payload in rows:
                total += len(payload)
                if chosen and total > bytes_max:
                    break
                chosen.append(Envelope(seq, record_class, at_ns, payload))
            if chosen and chosen[-1].seq > self._sent():
                self._set_meta("sent", chosen[-1].seq)
        return chosen

    def acknowledge(self, cursor: int) -> None:
        """Delete records up to the cursor."""
        with self._lock:
            with self._transaction():
                self._db.execute("delete from record where seq <= ?", (cursor,))
            self._held = self._measure()

    def figures(self) -> OutboxFigures:
        """Return the counts of this epoch."""
        with self._lock:
            (waiting,) = self._db.execute("select count(*) from record").fetchone()
            shed = {
                RecordClass(number).name.lower(): count
                for number, count in self._db.execute("select class, records from shed order by class")
            }
            return OutboxFigures(
                epoch=str(self._meta("epoch")),
                made=self._made(),
                sent=self._sent(),
                waiting=waiting,
                waiting_bytes=sum(self._held.values()),
                shed=shed,
            )

    def renew_epoch(self) -> None:
        """Number what waits from 1 under a new epoch; the counts begin anew with it."""
        with self._lock, self._transaction():
            rows = self._db.execute("select class, at_ns, payload, size from record order by seq").fetchall()
            self._db.execute("delete from record")
            self._db.execute("delete from shed")
            self._db.executemany(
                "insert into record values (?, ?, ?, ?, ?)", [(seq, *row) for seq, row in enumerate(rows, start=1)]
            )
            self._set_meta("epoch", self._new_epoch())
            self._set_meta("made", len(rows))
            self._set_meta("sent", 0)

    def _append(self, records: Sequence[NewRecord]) -> None:
        """Number the records; what does not fit under the cap makes room by class. The caller holds the transaction."""
        if not records:
            return
        made = self._made()
        rows = [
            (made + index, int(record.record_class), record.at_ns, record.payload, _size_of(record))
            for index, record in enumerate(records, start=1)
        ]
        self._db.executemany("insert into record values (?, ?, ?, ?, ?)", rows)
        self._set_meta("made", made + len(rows))
        for _, number, _, _, size in rows:
            self._held[RecordClass(number)] += size
        if sum(self._held.values()) > self._cap_bytes:
            self._make_room()

    def _make_room(self) -> None:
        in_flight = self._in_flight_bytes()
        free = {record_class: held - in_flight[record_class] for record_class, held in self._held.items()}
        plan = outbox.plan_shedding(free, cap_bytes=self._cap_bytes, need_bytes=sum(in_flight.values()))
        for record_class, excess in plan.items():
            self._shed(record_class, excess)

    def _shed(self, record_class: RecordClass, excess_bytes: int) -> None:
        freed = count = 0
        last = 0
        sent = self._sent()
        rows = self._db.execute(
            "select seq, size from record where class = ? and seq > ? order by seq", (int(record_class), sent)
        )
        for seq, size in rows:
            if freed >= excess_bytes:
                break
            freed, count, last = freed + size, count + 1, seq
        rows.close()
        if not count:
            return
        self._db.execute("delete from record where class = ? and seq > ? and seq <= ?", (int(record_class), sent, last))
        self._db.execute(
            "insert into shed values (?, ?) on conflict (class) do update set records = records + excluded.records",
            (int(record_class), count),
        )
        self._held[record_class] -= freed

    def _in_flight_bytes(self) -> dict[RecordClass, int]:
        """Return the bytes per class that were handed out for sending: the hub may have them, so they stay."""
        sizes = dict.fromkeys(RecordClass, 0)
        rows = self._db.execute("select class, sum(size) from record where seq <= ? group by class", (self._sent(),))
        sizes.update({RecordClass(number): size for number, size in rows})
        return sizes

    def _measure(self) -> dict[RecordClass, int]:
        held = dict.fromkeys(RecordClass, 0)
        for number, size in self._db.execute("select class, sum(size) from record group by class"):
            held[RecordClass(number)] = size
        return held

    def _made(self) -> int:
        value = self._meta("made")
        assert isinstance(value, int), "the count is written with the epoch"
        return value

    def _sent(self) -> int:
        """Return the highest sequence number that was ever handed out for sending."""
        value = self._meta("sent")
        return value if isinstance(value, int) else 0

    def _meta(self, key: str) -> object:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, key: str, value: str | int | bytes) -> None:
        self._db.execute(
            "insert into meta values (?, ?) on conflict (key) do update set value = excluded.value", (key, value)
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit on success; on any error the file and the counts are as before."""
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.Error as error:
            self._undo()
            raise DiskUnusable(f"the outbox cannot be written: {error}") from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("rollback")
        self._held = self._measure()


def _size_of(record: NewRecord) -> int:
    return len(record.payload) + _ROW_OVERHEAD_BYTES


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        (version,) = db.execute("pragma user_version").fetchone()
        if version > SCHEMA:
            raise DataTooNew(f"{path} has schema {version}; this release knows up to {SCHEMA}")
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        db.executescript(_TABLES)
        db.execute(f"pragma user_version = {SCHEMA}")
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise DiskUnusable(f"{path}: {error}") from error
        raise DataCorrupt(f"{path}: {error}") from error
    return db
