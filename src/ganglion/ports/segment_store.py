"""A place for closed segments of audit chains, from which nothing is taken away before its time."""

from collections.abc import Sequence
from typing import Protocol


class SegmentStore(Protocol):
    """Raises everywhere: SegmentStoreUnavailable: it does not answer, or refuses. DiskUnusable: a directory does."""

    def names(self) -> Sequence[str]:
        """Return the names of everything that is there, in any order."""
        ...

    def put(self, name: str, data: bytes, *, keep_until_s: float) -> None:
        """Store `data` durably, and lock it until then (seconds since 1970) where the place can do that.

        What is there already with the same content is left as it is. Raises: Conflict: other content has this name.
        """
        ...

    def get(self, name: str) -> bytes:
        """Return the content. Raises: NotFound, DataCorrupt: it is larger than any segment."""
        ...
