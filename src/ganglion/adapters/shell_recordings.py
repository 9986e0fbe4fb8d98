"""Recordings of interactive sessions, and what is known of each, as files that nobody else on the machine can read."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ganglion.core.asciicast import CastHeader, CastKind, CastWriter
from ganglion.core.errors import NotFound
from ganglion.core.ids import parse_name
from ganglion.disk import disk_errors
from ganglion.ports.shell import Closing

_CAST, _CLOSING = ".cast", ".json"
_MODE = 0o600


class RecordingFiles:
    """One directory of them. Implements `ports.shell.Recordings`."""

    def __init__(self, folder: Path, *, bytes_max: int, kept_max: int, replace: Callable[[Path, bytes], None]) -> None:
        """`replace` puts bytes at a path, whole, for the owner alone."""
        self._folder, self._bytes_max, self._kept_max, self._replace = folder, bytes_max, kept_max, replace

    def begin(self, closing: Closing, header: CastHeader) -> "RecordingFile":
        """See the port."""
        path = self._path(closing.id, _CAST)
        with disk_errors(path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_oldest()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _MODE)
        self.note(closing)
        return RecordingFile(path, descriptor, header, bytes_max=self._bytes_max)

    def note(self, closing: Closing) -> None:
        """See the port."""
        path = self._path(closing.id, _CLOSING)
        with disk_errors(path):
            self._replace(path, msgspec.json.encode(closing))

    def kept(self) -> Sequence[Closing]:
        """See the port."""
        with disk_errors(self._folder):
            files = list(self._folder.glob(f"*{_CLOSING}")) if self._folder.exists() else []
            found = [closing for file in files if (closing := _closing_in(file)) is not None]
        return sorted(found, key=lambda each: each.begun_at_s)

    def content(self, shell_id: str) -> bytes:
        """See the port."""
        return _content(self._path(shell_id, _CAST))

    def _remove_oldest(self) -> None:
        for closing in self.kept()[: -self._kept_max + 1 or None]:
            for ending in (_CAST, _CLOSING):
                self._path(closing.id, ending).unlink(missing_ok=True)

    def _path(self, shell_id: str, ending: str) -> Path:
        return _path(self._folder, shell_id, ending)


class RecordingFile:
    """See `ports.shell.Recording`. Safe to use from many threads: what is typed and what is shown come from two."""

    def __init__(self, path: Path, descriptor: int, header: CastHeader, *, bytes_max: int) -> None:
        self._path, self._descriptor, self._bytes_max = path, descriptor, bytes_max
        self._writer, self._hash, self._size_bytes = CastWriter(header), hashlib.sha256(), 0
        self._guard = threading.Lock()
        try:
            self._append(self._writer.first)
        except BaseException:
            os.close(descriptor)
            raise

    def add(self, kind: CastKind, data: bytes, *, at_s: float) -> bool:
        """See the port."""
        with self._guard:
            line = self._writer.line(kind, data, at_s=at_s)
            if self._size_bytes + len(line) > self._bytes_max:
                return False
            self._append(line)
            return True

    def close(self, *, at_s: float) -> str:
        """See the port."""
        with self._guard:
            try:
                self._append(self._writer.last(at_s=at_s))
                with disk_errors(self._path):
                    os.fsync(self._descriptor)
            finally:
                with contextlib.suppress(OSError):
                    os.close(self._descriptor)
            return self._hash.hexdigest()

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        with disk_errors(self._path):
            while view:
                written = os.write(self._descriptor, view)
                self._hash.update(view[:written])
                self._size_bytes += written
                view = view[written:]


class CastFiles:
    """One directory of recordings that came from elsewhere. Implements `ports.shell_store.CastStore`."""

    def __init__(self, folder: Path, *, replace: Callable[[Path, bytes], None]) -> None:
        """`replace` puts bytes at a path, whole, for the owner alone."""
        self._folder, self._replace = folder, replace

    def put(self, shell_id: str, data: bytes) -> None:
        """See the port."""
        path = _path(self._folder, shell_id, _CAST)
        with disk_errors(path):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._replace(path, data)

    def content(self, shell_id: str) -> bytes:
        """See the port."""
        return _content(_path(self._folder, shell_id, _CAST))

    def remove(self, shell_id: str) -> None:
        """See the port."""
        path = _path(self._folder, shell_id, _CAST)
        with disk_errors(path):
            path.unlink(missing_ok=True)


def _path(folder: Path, shell_id: str, ending: str) -> Path:
    return folder / f"{parse_name(shell_id, what='session')}{ending}"


def _content(path: Path) -> bytes:
    with disk_errors(path, but=(FileNotFoundError,)):
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"no recording of the session {path.stem[:80]!r} is kept here") from error


def _closing_in(file: Path) -> Closing | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Closing)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # It was removed in the meantime, or a power cut left it empty; the recording itself is beside it.
        return None
