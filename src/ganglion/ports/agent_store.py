"""What the agent keeps: its state and the outbox, in one database, so that a change and its event are one step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ganglion.wire.messages import Envelope, RecordClass


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
    """Records numbered so far; the highest sequence number."""
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

    def take_journal(self, records: Sequence[NewRecord], position: JournalPosition) -> None:
        """Number records from the journal and remember how far it was read, in one step. Raises: DiskUnusable."""
        ...

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest unacknowledged records, at least one if there is any.

        From then on they are never shed: the hub may have them, and a record counts once, as stored or as shed.
        """
        ...

    def acknowledge(self, cursor: int) -> None:
        """Forget every record up to `cursor`."""
        ...

    def figures(self) -> OutboxFigures: ...

    def renew_epoch(self) -> None:
        """Begin a new epoch and number what waits from 1: the hub knows numbers that this outbox never made."""
        ...
