"""Appends records, within a limit of bytes. What does not fit, or what the disk refuses, is counted as shed."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

import msgspec

from ganglion.adapters.journal import segments
from ganglion.core.errors import DataInUse, DiskUnusable
from ganglion.disk import sync_directory
from ganglion.wire.records import RecordClass

_RETRY_NS = 500_000_000
"""How long a full journal or a refusing disk is left alone before it is looked at again."""
_CLOSED = -1


class JournalLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the journal may hold. When full: shed."""

    total_bytes_max: int = 64_000_000
    """Disk use of all segments together."""
    segment_bytes_max: int = 4_000_000
    """Size from which a new segment is begun; the reader frees whole segments."""
    sample_share_max: float = 0.5
    """Share of `total_bytes_max` that samples and comparisons may fill; the rest is kept for results."""


class JournalWriter:
    """The one writer of a journal; not for several threads.

    A disk that is full or read-only does not stop serving: `append` returns False and `trouble` says why.
    Raises: DataInUse: another process writes this journal.
    """

    def __init__(self, directory: Path, limits: JournalLimits | None = None) -> None:
        self._directory, self._limits = directory, limits or JournalLimits()
        # A segment must be smaller than any limit: the reader cannot free the one that is being written.
        total, shared = self._limits.total_bytes_max, self._limits.total_bytes_max * self._limits.sample_share_max
        self._rooms = {kind: int(shared) if kind >= RecordClass.SUMMARY else total for kind in RecordClass}
        self._segment_max = min(self._limits.segment_bytes_max, int(shared / 2))
        self._segment, self._segment_bytes, self._other_bytes = _CLOSED, 0, 0
        self._shed_file = _CLOSED
        self._shed = segments.decode_counts(b"")
        self._owes_counts = False
        self._refused_ns: int | None = None
        self._measured_ns: int | None = None
        self.trouble: DiskUnusable | None = None
        """Why the disk refused the newest record; None when it took it."""
        try:
            self._open()
        except OSError as error:
            self._note(error)

    def append(self, record_class: RecordClass, at_ns: int, payload: bytes) -> bool:
        """Append one record. True: it outlives this process. False: it was shed, and counted."""
        frame = segments.encode_frame(record_class, at_ns, payload)
        # Every answer of a node comes by here: the two questions that may touch the disk are asked only when they must.
        room = self._rooms[record_class] - len(frame)
        has_room = self._segment_bytes + self._other_bytes <= room or self._is_room_free(room, at_ns)
        is_open = self._segment_bytes < self._segment_max and self._segment != _CLOSED
        if 0 < len(payload) <= segments.RECORD_BYTES_MAX and has_room and (is_open or self._reopen(at_ns)):
            try:
                self._write(frame)
            except OSError as error:
                self._note(error)
            else:
                self.trouble = None
                if self._owes_counts:
                    self._write_counts()
                return True
        self._count_shed(record_class)
        return False

    def shed(self) -> dict[str, int]:
        """Return how many records were ever shed, by lower-case class name."""
        return segments.name_counts(self._shed)

    def close(self) -> None:
        """Leave the journal to the next writer."""
        for descriptor in (self._segment, self._shed_file):
            if descriptor != _CLOSED:
                os.close(descriptor)
        self._segment = self._shed_file = _CLOSED

    def _is_room_free(self, room: int, at_ns: int) -> bool:
        """Look again: perhaps the reader has freed something since."""
        if not _is_recent(self._measured_ns, at_ns):
            self._measured_ns = at_ns
            self._measure()
        return self._segment_bytes + self._other_bytes <= room

    def _measure(self) -> None:
        with contextlib.suppress(OSError):
            numbers = segments.segment_numbers(self._directory)
            sizes = [segments.segment_path(self._directory, number).stat().st_size for number in numbers]
            self._other_bytes = sum(sizes) - self._segment_bytes

    def _reopen(self, at_ns: int) -> bool:
        if _is_recent(self._refused_ns, at_ns):
            return False
        try:
            self._open()
        except (OSError, DataInUse) as error:
            self._refused_ns = at_ns
            self._note(error)
            return False
        return True

    def _open(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._shed_file == _CLOSED:
            self._open_shed_file()
        self._begin_segment()

    def _open_shed_file(self) -> None:
        file = os.open(self._directory / segments.SHED_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise DataInUse(f"another process writes the journal {self._directory}") from error
        before = segments.decode_counts(os.pread(file, segments.COUNT.size * len(RecordClass), 0))
        self._shed_file = file
        # What was shed before the file could be opened is not in it yet.
        self._shed = [old + new for old, new in zip(before, self._shed, strict=True)]
        self._write_counts()

    def _begin_segment(self) -> None:
        numbers = segments.segment_numbers(self._directory)
        path = segments.segment_path(self._directory, max(numbers, default=0) + 1)
        segment = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._segment != _CLOSED:
            os.close(self._segment)
        self._segment, self._segment_bytes = segment, 0
        # The name must outlive a power cut: a number that is used again would mislead the reader.
        sync_directory(self._directory)
        self._measure()

    def _write(self, frame: bytes) -> None:
        try:
            _write_whole(self._segment, frame)
        except OSError:
            self._undo()
            raise
        self._segment_bytes += len(frame)

    def _undo(self) -> None:
        """Take back half a frame; when even that fails, leave the segment: its torn tail is passed over."""
        try:
            os.ftruncate(self._segment, self._segment_bytes)
        except OSError:
            os.close(self._segment)
            self._segment = _CLOSED

    def _count_shed(self, record_class: RecordClass) -> None:
        self._shed[record_class] += 1
        self._write_counts()

    def _write_counts(self) -> None:
        """Tell the reader what was shed. A disk that refuses even that is told again with the next record it takes."""
        self._owes_counts = True
        if self._shed_file != _CLOSED:
            with contextlib.suppress(OSError):
                os.pwrite(self._shed_file, b"".join([segments.COUNT.pack(count) for count in self._shed]), 0)
                self._owes_counts = False

    def _note(self, error: Exception) -> None:
        self.trouble = DiskUnusable(f"the journal {self._directory} takes no records: {error}")


def _write_whole(file: int, data: bytes) -> None:
    if os.write(file, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_recent(then_ns: int | None, now_ns: int) -> bool:
    """Say whether `then` is less than the retry time ago; wall clocks jump, so the future is not recent."""
    return then_ns is not None and 0 <= now_ns - then_ns < _RETRY_NS
