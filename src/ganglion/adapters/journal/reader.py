"""Reads what the writer appended, in order, each record once for a caller that stores the position.

The writer may be killed anywhere, so a segment may end in half a frame. In the newest segment that means
"wait"; in an older one nobody will complete it: it is passed over and counted. It was never promised.
"""

import os
from pathlib import Path

import msgspec
import structlog

from ganglion.adapters.journal import segments
from ganglion.core.errors import DiskUnusable
from ganglion.ports.agent_store import JournalPosition, NewRecord

log = structlog.get_logger()

_WINDOW_BYTES = 1 << 20
_LARGEST_BYTES = segments.RECORD_BYTES_MAX + segments.HEADER_BYTES
_CHUNK_BYTES_MAX = 8_000_000
"""Payload bytes after which a chunk ends, whatever `limit` allows."""


class Chunk(msgspec.Struct):
    """Some records, the position after them, and how many damaged ones were passed over on the way."""

    records: list[NewRecord]
    position: JournalPosition
    torn: int = 0
    size_bytes: int = 0


class JournalReader:
    """The one reader of a journal. It keeps no state: the position is what the caller stored."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, position: JournalPosition, *, limit: int) -> Chunk:
        """Return at most `limit` records from `position` on; none means wait. Raises: DiskUnusable."""
        try:
            # Listed before reading: a segment that had a successor then has been written to its end.
            numbers = segments.segment_numbers(self._directory)
            chunk = Chunk([], _settle(position, numbers))
            while numbers and not self._fill(chunk, limit, is_newest=chunk.position.segment == numbers[-1]):
                following = next(number for number in numbers if number > chunk.position.segment)
                chunk.position = JournalPosition(following, 0)
        except OSError as error:
            raise DiskUnusable(f"the journal {self._directory} cannot be read: {error}") from error
        return chunk

    def take(self, position: JournalPosition, *, limit: int) -> tuple[list[NewRecord], JournalPosition]:
        """Return records and the position after them, and log what was damaged. Raises: DiskUnusable."""
        chunk = self.read(position, limit=limit)
        if chunk.torn:
            log.warning("journal.frames_skipped", count=chunk.torn, segment=position.segment)
        return chunk.records, chunk.position

    def discard_before(self, position: JournalPosition) -> None:
        """Delete the segments before the one of `position`, but never the newest. Raises: DiskUnusable."""
        try:
            for number in segments.segment_numbers(self._directory)[:-1]:
                if number < position.segment:
                    segments.segment_path(self._directory, number).unlink(missing_ok=True)
        except OSError as error:
            raise DiskUnusable(f"the journal {self._directory} cannot be freed: {error}") from error

    def shed(self) -> dict[str, int]:
        """Return how many records the writer ever shed, by lower-case class name. Raises: DiskUnusable."""
        try:
            data = (self._directory / segments.SHED_FILE).read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise DiskUnusable(f"the journal {self._directory} cannot be read: {error}") from error
        return segments.name_counts(segments.decode_counts(data))

    def _fill(self, chunk: Chunk, limit: int, *, is_newest: bool) -> bool:
        """Read on in one segment. True: the chunk is as full as it gets now; False: the segment is used up."""
        path = segments.segment_path(self._directory, chunk.position.segment)
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while True:
                start = chunk.position.offset
                data = os.pread(file, _WINDOW_BYTES, start)
                if _take_frames(chunk, data, limit, is_newest=is_newest):
                    return True
                if chunk.position.offset == start and len(data) == _WINDOW_BYTES:
                    data = os.pread(file, _LARGEST_BYTES, start)
                    if _take_frames(chunk, data, limit, is_newest=is_newest):
                        return True
                if chunk.position.offset == start:
                    chunk.torn += bool(data) and not is_newest
                    return is_newest
        finally:
            os.close(file)


def _take_frames(chunk: Chunk, data: bytes, limit: int, *, is_newest: bool) -> bool:
    """Add the records in `data` and move the position behind them. True: the chunk is full, or must wait."""
    segment = chunk.position.segment
    for frame in segments.frames(data, start=chunk.position.offset):
        if len(chunk.records) >= limit or chunk.size_bytes >= _CHUNK_BYTES_MAX:
            return True
        if frame.record is not None:
            chunk.records.append(frame.record)
            chunk.size_bytes += len(frame.record.payload)
        elif is_newest:
            return True  # Half taken back by the writer, or damaged: the next segment will tell.
        else:
            chunk.torn += 1
        chunk.position = JournalPosition(segment, frame.end)
    return False


def _settle(position: JournalPosition, numbers: list[int]) -> JournalPosition:
    """Return `position`, or the place to go on when its segment is not there."""
    if not numbers or position.segment in numbers:
        return position
    # Past the newest: this is another journal than the one that was read, so nothing of it was.
    is_foreign = position.segment > numbers[-1]
    following = numbers[0] if is_foreign else next(number for number in numbers if number > position.segment)
    return JournalPosition(following, 0)
