"""A place for segments of audit chains that lives in memory, and refuses when a test says so."""

from collections.abc import Sequence

from ganglion.core.errors import Conflict, GanglionError, NotFound


class MemorySegments:
    """Implements `ports.segment_store.SegmentStore`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.kept_until_s: dict[str, float] = {}
        self.failure: GanglionError | None = None
        """What the next call ends with."""
        self.fails_after_storing = False
        """Whether the failure comes when the content has arrived: an answer that was lost."""

    def names(self) -> Sequence[str]:
        """See the port."""
        return list(self.files)

    def put(self, name: str, data: bytes, *, keep_until_s: float) -> None:
        """See the port."""
        if self.failure is not None and not self.fails_after_storing:
            raise self.failure
        if self.files.get(name, data) != data:
            raise Conflict(f"{name} holds another history for the same links")
        if name not in self.files:
            self.files[name], self.kept_until_s[name] = data, keep_until_s
        if self.failure is not None:
            raise self.failure

    def get(self, name: str) -> bytes:
        """See the port."""
        if name not in self.files:
            raise NotFound(f"there is no {name}")
        return self.files[name]
