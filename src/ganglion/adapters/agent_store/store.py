"""State and outbox: which records wait, which were handed out, what a full outbox gave up."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ganglion.adapters.agent_store.database import Database
from ganglion.core.errors import DataCorrupt
from ganglion.node.domain import outbox
from ganglion.ports.agent_store import JournalPosition, NewRecord, OutboxFigures
from ganglion.wire.messages import Envelope, RecordClass

_ROW_OVERHEAD_BYTES = 40
"""What SQLite needs beside the payload, about; counted against the cap."""


class SqliteAgentStore:
    """See `ports.agent_store.AgentStore`. Safe to call from any thread; calls run one after another."""

    def __init__(self, path: Path, *, cap_bytes: int, new_epoch: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self._path, self._cap_bytes = path, cap_bytes
        self._new_epoch = new_epoch
        self._held: dict[RecordClass, int] = {}
        self._file = Database(path)
        self._db = self._file.connection
        try:
            with self._reading():
                self._check_meta()
            if self._file.meta("epoch") is None:
                with self._changing():
                    self._begin_epoch(made=0)
            with self._reading():
                self._held = self._sizes("select class, sum(size) from record group by class")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def state(self) -> bytes | None:
        """Return the stored state."""
        with self._reading():
            value = self._file.meta("state")
            return bytes(value) if isinstance(value, bytes) else None

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        """Replace the state and append records in one transaction."""
        with self._changing():
            self._file.set_meta("state", state)
            self._append(records)

    def journal_position(self) -> JournalPosition:
        """Return how far the journal was taken in."""
        with self._reading():
            return self._position()

    def take_journal(self, records: Sequence[NewRecord], position: JournalPosition) -> None:
        """Append records from the journal and remember the position in one transaction."""
        with self._changing():
            self._append(records)
            self._file.set_meta("journal", msgspec.json.encode(position))

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest records within both limits; a single larger one goes alone."""
        chosen: list[Envelope] = []
        total = 0
        with self._changing():
            rows = self._db.execute(
                "select seq, class, at_ns, payload from record order by seq limit ?", (records_max,)
            )
            for seq, record_class, at_ns, payload in rows:
                total += len(payload)
                if chosen and total > bytes_max:
                    break
                chosen.append(Envelope(seq, record_class, at_ns, payload))
            rows.close()
            if chosen and chosen[-1].seq > self._sent():
                self._file.set_meta("sent", chosen[-1].seq)
        return chosen

    def acknowledge(self, cursor: int) -> None:
        """Delete records up to the cursor."""
        with self._changing():
            freed = self._sizes_up_to(cursor)
            self._db.execute("delete from record where seq <= ?", (cursor,))
            for record_class, size in freed.items():
                self._held[record_class] -= size

    def figures(self) -> OutboxFigures:
        """Return the counts of this epoch."""
        with self._reading():
            (waiting,) = self._db.execute("select count(*) from record").fetchone()
            shed = {
                RecordClass(number).name.lower(): count
                for number, count in self._db.execute("select class, records from shed order by class")
            }
            return OutboxFigures(
                epoch=str(self._file.meta("epoch")),
                made=self._made(),
                sent=self._sent(),
                waiting=waiting,
                waiting_bytes=sum(self._held.values()),
                shed=shed,
            )

    def renew_epoch(self) -> None:
        """Number what waits from 1 under a new epoch; the counts begin anew with it."""
        with self._changing():
            rows = self._db.execute("select class, at_ns, payload, size from record order by seq").fetchall()
            self._db.execute("delete from record")
            self._db.execute("delete from shed")
            self._db.executemany(
                "insert into record values (?, ?, ?, ?, ?)", [(seq, *row) for seq, row in enumerate(rows, start=1)]
            )
            self._begin_epoch(made=len(rows))

    def _begin_epoch(self, *, made: int) -> None:
        self._file.set_meta("epoch", self._new_epoch())
        self._file.set_meta("made", made)
        self._file.set_meta("sent", 0)

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
        self._file.set_meta("made", made + len(rows))
        for _, number, _, _, size in rows:
            self._held[RecordClass(number)] += size
        if sum(self._held.values()) > self._cap_bytes:
            self._make_room()

    def _make_room(self) -> None:
        # The hub may have what was handed out for sending, so that stays.
        in_flight = self._sizes_up_to(self._sent())
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

    def _sizes_up_to(self, seq: int) -> dict[RecordClass, int]:
        return self._sizes("select class, sum(size) from record where seq <= ? group by class", seq)

    def _sizes(self, query: str, *parameters: int) -> dict[RecordClass, int]:
        sizes = dict.fromkeys(RecordClass, 0)
        sizes.update({RecordClass(number): size for number, size in self._db.execute(query, parameters)})
        return sizes

    def _made(self) -> int:
        value = self._file.meta("made")
        assert isinstance(value, int), "the count is written with the epoch"
        return value

    def _sent(self) -> int:
        """Return the highest sequence number that was ever handed out for sending."""
        value = self._file.meta("sent")
        return value if isinstance(value, int) else 0

    def _position(self) -> JournalPosition:
        value = self._file.meta("journal")
        return msgspec.json.decode(value, type=JournalPosition) if isinstance(value, bytes) else JournalPosition()

    def _check_meta(self) -> None:
        """SQLite has no checksums: a flipped bit in a value is found here, or never. Raises: DataCorrupt."""
        epoch, made = self._file.meta("epoch"), self._file.meta("made")
        try:
            self._position()
        except msgspec.DecodeError as error:
            raise DataCorrupt(f"{self._path}: the position in the journal cannot be read: {error}") from error
        if epoch is not None and not (isinstance(epoch, str) and isinstance(made, int)):
            raise DataCorrupt(f"{self._path}: the counts of the outbox cannot be read")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._file.errors():
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Open a transaction; on any error the file and the counts are as before."""
        with self._lock:
            held = dict(self._held)
            try:
                with self._file.transaction():
                    yield
            except BaseException:
                self._held = held
                raise


def _size_of(record: NewRecord) -> int:
    return len(record.payload) + _ROW_OVERHEAD_BYTES
