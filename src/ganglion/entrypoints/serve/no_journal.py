"""Where the records of `ganglion serve` go when nobody asked for them."""

from ganglion.core.errors import DiskUnusable
from ganglion.wire.records import RecordClass


class NoJournal:
    """Implements `ports.journal.JournalSink` by forgetting: nothing was promised, so nothing counts as shed."""

    trouble: DiskUnusable | None = None

    def append(self, record_class: RecordClass, at_ns: int, payload: bytes) -> bool:  # noqa: ARG002 - the port's words
        """Forget the record."""
        return True

    def shed(self) -> dict[str, int]:
        """Return no counts."""
        return {}

    def close(self) -> None:
        """Have nothing to close."""
