"""The names of segments, the bytes of a frame, and the file of shed counts: what writer and reader agree on.

A segment is a row of frames. It has one writer, which never comes back to it once it has made the next one.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganglion.ports.agent_store import NewRecord
from ganglion.wire.records import RecordClass

RECORD_BYTES_MAX = 4_000_000
"""Largest payload. A greater length in a file is damage, not a record."""
SHED_FILE = "shed"
COUNT = struct.Struct("<Q")
"""The file of shed counts holds one of these per record class."""

_SUFFIX = ".journal"
_HEADER = struct.Struct("<II")
"""Length of the payload, and the checksum of everything after the checksum."""
_MARK = struct.Struct("<Bq")
"""Record class, and event time in nanoseconds."""
_CLASSES = {int(kind): kind for kind in RecordClass}
HEADER_BYTES = _HEADER.size + _MARK.size


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands in a segment up to the offset `end`; `record` is None when it is damaged."""

    end: int
    record: NewRecord | None


def segment_path(directory: Path, number: int) -> Path:
    """Return the file of segment `number`."""
    return directory / f"{number:012d}{_SUFFIX}"


def segment_numbers(directory: Path) -> list[int]:
    """Return the numbers of all segments, oldest first; none without a directory. Raises: OSError."""
    try:
        stems = [path.stem for path in directory.iterdir() if path.suffix == _SUFFIX]
    except FileNotFoundError:
        return []
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def encode_frame(record_class: RecordClass, at_ns: int, payload: bytes) -> bytes:
    """Return the bytes of one record."""
    body = _MARK.pack(record_class, at_ns) + payload
    return _HEADER.pack(len(payload), zlib.crc32(body)) + body


def frames(data: bytes, *, start: int) -> Iterator[Frame]:
    """Yield the whole frames in `data`, damaged ones too; stop where the rest is incomplete or makes no sense.

    `start` is the offset of `data` in its segment.
    """
    position = 0
    while position + HEADER_BYTES <= len(data):
        length, checksum = _HEADER.unpack_from(data, position)
        end = position + HEADER_BYTES + length
        # A power cut may leave zeros. No record is empty, so they cannot pass for a row of tiny frames.
        if not 0 < length <= RECORD_BYTES_MAX or end > len(data):
            return
        body = data[position + _HEADER.size : end]
        yield Frame(start + end, _record(body) if zlib.crc32(body) == checksum else None)
        position = end


def decode_counts(data: bytes) -> list[int]:
    """Return the shed counts by class number; bytes that are not there count nothing."""
    size = COUNT.size * len(RecordClass)
    return [count for (count,) in COUNT.iter_unpack(data[:size].ljust(size, b"\0"))]


def name_counts(counts: Sequence[int]) -> dict[str, int]:
    """Return the counts that are not zero, by lower-case class name."""
    return {kind.name.lower(): counts[kind] for kind in RecordClass if counts[kind]}


def _record(body: bytes) -> NewRecord | None:
    number, at_ns = _MARK.unpack_from(body)
    kind = _CLASSES.get(number)
    return NewRecord(kind, at_ns, body[_MARK.size :]) if kind is not None else None
