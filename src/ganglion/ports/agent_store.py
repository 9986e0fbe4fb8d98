"""What the agent keeps: its state and the outbox, in one database, so that a change and its event are one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ganglion.wire.records import Envelope, RecordClass


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that has no sequence number yet."""

    record_class: RecordClass
    at_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class JournalPosition:
    """Up to where the journal was moved into the outbox."""

    segment: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """Counts of the present epoch."""

    epoch: str
    made: int
    """Records made so far: those that were numbered, and those that the journal had to shed before that."""
    sent: int
    """Highest sequence number that was ever handed out for sending."""
    waiting: int
    waiting_bytes: int
    shed: dict[str, int] = field(default_factory=dict)
    """Records given up so far, by class name."""


class AgentStore(Protocol):
    """One SQLite file with one writer. Every method is durable when it returns."""

    def state(self) -> bytes | None:
        """Return the stored state, or None on a new node."""
        ...

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        """Replace the state and number the records, in one transaction. Raises: DiskUnusable."""
        ...

    def journal_position(self) -> JournalPosition: ...

    def take_journal(
        self,
        records: Sequence[NewRecord],
        position: JournalPosition,
        *,
        shed: Mapping[str, int] | None = None,
        open_minutes: bytes = b"",
    ) -> None:
        """Number records from the journal and remember how far it was read, in one step.

        `open_minutes` are counts of records that were read and will leave as a summary, kept as they are.
        `shed` is what the journal itself ever gave up, by class name; what is new of it counts as made and shed.
        Raises: DiskUnusable.
        """
        ...

    def open_minutes(self) -> bytes | None:
        """Return the counts that the last `take_journal` kept, or None."""
        ...

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest unacknowledged records, at least one if there is any.

        From then on they are never shed: the hub may have them, and a record counts once, as stored or as shed.
        """
        ...

    def acknowledge(self, cursor: int) -> None:
        """Forget every record up to `cursor`."""
        ...

    def spent(self) -> bytes | None:
        """Return the account of the link as it was last kept, or None."""
        ...

    def keep_spent(self, account: bytes) -> None: ...

    def give_up(self, seq: int, reason: str, told: NewRecord) -> None:
        """Move a record aside that the hub refuses for ever, count it as shed, and number the event that tells it."""
        ...

    def figures(self) -> OutboxFigures: ...

    def renew_epoch(self) -> None:
        """Begin a new epoch and number what waits from 1: the hub knows numbers that this outbox never made."""
        ...
