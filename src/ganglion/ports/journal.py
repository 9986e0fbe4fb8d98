"""The files between serving and agent: serving appends records, the agent moves them into its outbox.

A record is promised once `append` returned True: the kernel has it then, and no process takes it along when it dies.
"""

from collections.abc import Sequence
from typing import Protocol

from ganglion.core.errors import DiskUnusable
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.wire.records import RecordClass


class JournalSink(Protocol):
    """Where serving puts its records."""

    trouble: DiskUnusable | None
    """Why the disk refused the newest record; None when it took it."""

    def append(self, record_class: RecordClass, at_ns: int, payload: bytes) -> bool:
        """Append one record. False: it was shed, and counted as such."""
        ...

    def shed(self) -> dict[str, int]:
        """Return how many records were ever shed, by lower-case class name."""
        ...


class Journal(Protocol):
    """Where the agent takes records from. The caller stores the position; nothing else remembers what was read."""

    def take(self, position: JournalPosition, *, limit: int) -> tuple[Sequence[NewRecord], JournalPosition]:
        """Return at most `limit` records from `position` on, and the position after them; none means wait.

        Raises: DiskUnusable.
        """
        ...

    def discard_before(self, position: JournalPosition) -> None:
        """Free what lies before `position`, which the caller has stored durably. Raises: DiskUnusable."""
        ...

    def shed(self) -> dict[str, int]:
        """Return how many records were ever shed, by lower-case class name. Raises: DiskUnusable."""
        ...
