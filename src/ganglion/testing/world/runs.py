"""Records in a row as one thing: (first sequence number, count). Splitting one loses nothing.

`fresh` and `gaps` mean what `hub.domain.ingest` means by them; a property test holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.wire.records import EventRecord, RecordClass

CLASS_NAMES = {kind: kind.name.lower() for kind in RecordClass}


@dataclass(slots=True)
class Run:
    """Records of one class and one version, made one after the other."""

    seq: int
    count: int
    kind: RecordClass
    size_bytes: int
    """Of each record, with what the outbox needs beside it."""
    maker: int
    origin: int
    """The maker's own number of the first record; neither node nor hub looks at it (law 3)."""
    made_s: float
    """True time of the last record."""
    shown_s: float
    """The event time that the record carries, with the error of the maker's clock taken off."""
    version: str = ""
    compared: int = 0
    event: EventRecord | None = None
    write: int = 0
    """The write of the node's state that an event belongs to (law 7)."""

    @property
    def bytes(self) -> int:
        """Return the size of all its records."""
        return self.count * self.size_bytes

    @property
    def last(self) -> int:
        """Return the number of its last record."""
        return self.seq + self.count - 1

    def behind(self, cut: int) -> "Run":
        """Return the records behind the first `cut`."""
        compared = self.compared - self.compared * cut // self.count
        return Run(
            self.seq + cut, self.count - cut, self.kind, self.size_bytes, self.maker, self.origin + cut, self.made_s,
            self.shown_s, self.version, compared, self.event, self.write,
        )  # fmt: skip

    def ahead(self, cut: int) -> "Run":
        """Return the first `cut` records."""
        compared = self.compared * cut // self.count
        return Run(
            self.seq, cut, self.kind, self.size_bytes, self.maker, self.origin, self.made_s, self.shown_s,
            self.version, compared, self.event, self.write,
        )  # fmt: skip


def fresh(runs: Sequence[Run], cursor: int) -> list[Run]:
    """Return what lies behind the cursor; the rest is stored already."""
    return [run if run.seq > cursor else run.behind(cursor + 1 - run.seq) for run in runs if run.last > cursor]


def gaps(new: Sequence[Run], cursor: int) -> int:
    """Return how many numbers between the cursor and the last new record did not come."""
    return new[-1].last - cursor - sum(run.count for run in new) if new else 0
