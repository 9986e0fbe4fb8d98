"""Content that arrives in pieces, in files: NODE/SHA256 when it is whole, NODE/SHA256.part until then.

A file's modification time says when it was last used. Pieces are not synced one by one: what a power cut leaves of
them is checked with the rest, when all of it is there.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganglion.core.errors import DiskUnusable, InvalidRequest, NotFound
from ganglion.core.ids import Digest
from ganglion.wire.records import ContentHeld

_LOCKS = 64
"""So many nodes are served at the same time at most; one node's calls follow each other."""
_PART = ".part"


class ContentFiles:
    """Implements `ports.sample_contents.ContentStore`. One process has the directory to itself; threads may share it.

    `sync` makes an open file durable.
    """

    def __init__(self, root: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._root, self._sync = root, sync
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def held(self, node_id: str, digest: Digest) -> ContentHeld:
        """Return how much is here."""
        with self._alone(node_id):
            return _held(self._root / node_id / digest)

    def append(
        self, node_id: str, digest: Digest, data: bytes, *, offset: int, size_bytes: int, now_s: float
    ) -> ContentHeld:
        """Write behind what is here, if `offset` says so. Raises: InvalidRequest: it is something else, and gone."""
        whole = self._root / node_id / digest
        part = whole.with_name(f"{digest}{_PART}")
        with self._alone(node_id):
            held = _held(whole)
            if held.is_complete:
                os.utime(whole, (now_s, now_s))
                return held
            if max(held.held_bytes, offset + len(data)) > size_bytes:
                part.unlink(missing_ok=True)
                raise InvalidRequest(f"content {digest} would have more than the {size_bytes} bytes that it should")
            if held.held_bytes != offset:
                return held
            self._write(part, data, now_s)
            if offset + len(data) == size_bytes:
                self._finish(part, whole, digest)
            return _held(whole)

    def read(self, node_id: str, digest: Digest, *, now_s: float) -> bytes:
        """Return what is complete. Raises: NotFound: it is not here; also when it was damaged, and is gone now."""
        whole = self._root / node_id / digest
        with self._alone(node_id):
            try:
                data = whole.read_bytes()
            except FileNotFoundError as error:
                raise NotFound(f"no content has the digest {digest}") from error
            if hashlib.sha256(data).hexdigest() != digest:
                whole.unlink()
                raise NotFound(f"content {digest} was damaged")
            os.utime(whole, (now_s, now_s))
            return data

    def make_room(self, node_id: str, size_bytes: int, *, bytes_max: int, partials_max: int) -> None:
        """Remove what this node used least recently."""
        with self._alone(node_id):
            files = sorted(_files_in(self._root / node_id), key=_used_at)
            taken_bytes = sum(file.stat().st_size for file in files)
            partials = sum(file.suffix == _PART for file in files)
            for file in files:
                is_part = file.suffix == _PART
                if taken_bytes + size_bytes > bytes_max or (is_part and partials >= partials_max):
                    taken_bytes -= file.stat().st_size
                    partials -= is_part
                    file.unlink()

    def remove_before(self, then_s: float) -> int:
        """Remove what nobody has used since; return how many files that were."""
        removed = 0
        for folder in _files_in(self._root):
            with self._alone(folder.name):
                old = [file for file in _files_in(folder) if file.stat().st_mtime < then_s]
                for file in old:
                    file.unlink()
                removed += len(old)
                with suppress(OSError):
                    # It stays when something is left in it.
                    folder.rmdir()
        return removed

    def _write(self, part: Path, data: bytes, now_s: float) -> None:
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("ab") as file:
            held_bytes = file.tell()
            try:
                file.write(data)
                file.flush()
            except OSError:
                # Half a piece would be taken for bytes that the node need not send.
                with suppress(OSError):
                    os.truncate(part, held_bytes)
                raise
        os.utime(part, (now_s, now_s))

    def _finish(self, part: Path, whole: Path, digest: Digest) -> None:
        if hashlib.sha256(part.read_bytes()).hexdigest() != digest:
            part.unlink()
            raise InvalidRequest(f"the bytes that came have another digest than {digest}: they were thrown away")
        self._sync_path(part)
        part.replace(whole)
        self._sync_path(whole.parent)

    def _sync_path(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _alone(self, node_id: str) -> Iterator[None]:
        with self._locks[hash(node_id) % _LOCKS]:
            try:
                yield
            except OSError as error:
                raise DiskUnusable(f"{self._root}: {error.strerror}") from error


def _held(whole: Path) -> ContentHeld:
    with suppress(FileNotFoundError):
        return ContentHeld(whole.stat().st_size, is_complete=True)
    with suppress(FileNotFoundError):
        return ContentHeld(whole.with_name(f"{whole.name}{_PART}").stat().st_size)
    return ContentHeld(0)


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _used_at(file: Path) -> float:
    return file.stat().st_mtime
