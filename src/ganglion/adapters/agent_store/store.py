"""State and outbox: which records wait, which were handed out, what a full outbox gave up."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ganglion.adapters.agent_store.database import Database
from ganglion.adapters.agent_store.records import Records
from ganglion.core.errors import DataCorrupt
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.ports.agent_store import JournalPosition, NewRecord, OutboxFigures
from ganglion.wire.records import Envelope, RecordClass

_NO_RECORDS: tuple[NewRecord, ...] = ()


class SqliteAgentStore:
    """See `ports.agent_store.AgentStore`. Safe to call from any thread; calls run one after another."""

    def __init__(self, path: Path, *, limits: OutboxLimits, new_epoch: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self._path, self._new_epoch = path, new_epoch
        self._file = Database(path)
        self._records = Records(self._file, path.parent, limits)
        try:
            with self._reading():
                self._check_meta()
            if self._file.meta("epoch") is None:
                with self._changing():
                    self._begin_epoch(made=0)
            with self._reading():
                self._records.load()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._file.connection.close()

    def state(self) -> bytes | None:
        """Return the stored state."""
        with self._reading():
            value = self._file.meta("state")
            return bytes(value) if isinstance(value, bytes) else None

    def save(self, state: bytes, records: Sequence[NewRecord] = _NO_RECORDS) -> None:
        """Replace the state and append records in one transaction."""
        with self._changing():
            self._file.set_meta("state", state)
            self._records.append(records)

    def journal_position(self) -> JournalPosition:
        """Return how far the journal was taken in."""
        with self._reading():
            return self._position()

    def take_journal(
        self,
        records: Sequence[NewRecord],
        position: JournalPosition,
        *,
        shed: Mapping[str, int] | None = None,
        open_minutes: bytes = b"",
    ) -> None:
        """Append records, and remember the position, open counts and what the journal ever shed, in one step."""
        with self._changing():
            self._file.set_meta("open_minutes", open_minutes)
            self._records.append(records)
            self._file.set_meta("journal", msgspec.json.encode(position))
            self._count_journal_shed(shed or {})

    def open_minutes(self) -> bytes | None:
        """Return the counts that were last kept."""
        with self._reading():
            value = self._file.meta("open_minutes")
            return value if isinstance(value, bytes) else None

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest records within both limits; a single larger one goes alone."""
        with self._changing():
            return self._records.oldest(records_max=records_max, bytes_max=bytes_max)

    def acknowledge(self, cursor: int) -> None:
        """Delete records up to the cursor."""
        with self._changing():
            self._records.forget(cursor)

    def spent(self) -> bytes | None:
        """Return the account of the link."""
        with self._reading():
            value = self._file.meta("spent")
            return value if isinstance(value, bytes) else None

    def keep_spent(self, account: bytes) -> None:
        """Replace the account of the link."""
        with self._changing():
            self._file.set_meta("spent", account)

    def give_up(self, seq: int, reason: str, told: NewRecord) -> None:
        """Move a record aside that the hub refuses for ever, count it as shed, and append the event that tells it."""
        with self._changing():
            self._records.give_up(seq, reason)
            self._records.append([told])

    def figures(self) -> OutboxFigures:
        """Return the counts of this epoch."""
        with self._reading():
            return OutboxFigures(
                epoch=str(self._file.meta("epoch")),
                made=self._records.made + self._unnumbered(),
                sent=self._records.sent,
                waiting=self._records.waiting,
                waiting_bytes=sum(self._records.held.values()),
                shed=self._records.shed(),
            )

    def renew_epoch(self) -> None:
        """Number what waits from 1 under a new epoch; the counts begin anew with it."""
        with self._changing():
            self._begin_epoch(made=self._records.renumber())

    def _begin_epoch(self, *, made: int) -> None:
        self._file.set_meta("epoch", self._new_epoch())
        self._file.set_meta("made", made)
        self._file.set_meta("sent", 0)
        self._file.set_meta("unnumbered", 0)

    def _count_journal_shed(self, shed: Mapping[str, int]) -> None:
        """Add what the journal shed since it was last asked: those records were made, and never got a number."""
        before = self._journal_shed()
        new = {RecordClass[name.upper()]: count - before.get(name, 0) for name, count in shed.items()}
        new = {record_class: count for record_class, count in new.items() if count > 0}
        if new:
            self._records.count_shed(new)
            self._file.set_meta("unnumbered", self._unnumbered() + sum(new.values()))
            self._file.set_meta("journal_shed", msgspec.json.encode(dict(shed)))

    def _journal_shed(self) -> dict[str, int]:
        value = self._file.meta("journal_shed")
        return msgspec.json.decode(value, type=dict[str, int]) if isinstance(value, bytes) else {}

    def _unnumbered(self) -> int:
        value = self._file.meta("unnumbered")
        return value if isinstance(value, int) else 0

    def _position(self) -> JournalPosition:
        value = self._file.meta("journal")
        return msgspec.json.decode(value, type=JournalPosition) if isinstance(value, bytes) else JournalPosition()

    def _check_meta(self) -> None:
        """SQLite has no checksums: a flipped bit in a value is found here, or never. Raises: DataCorrupt."""
        epoch, made = self._file.meta("epoch"), self._file.meta("made")
        try:
            self._position()
            self._journal_shed()
        except msgspec.MsgspecError as error:
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
            held = dict(self._records.held)
            try:
                with self._file.transaction():
                    yield
            except BaseException:
                self._records.held = held
                raise
