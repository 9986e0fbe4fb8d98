"""Immutable content on disk, under the SHA-256 of it.

A file gets its name only when all of it is on disk, so a name that exists is whole; reading checks
it against its name all the same, because disks forget.
"""

import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from ganglion.core.errors import DataCorrupt, NotFound
from ganglion.core.ids import Digest
from ganglion.disk import disk_errors, sync_directory
from ganglion.wire import paths

_CHUNK_BYTES = 1 << 20
_MODE = 0o444
"""Content never changes; who edits it by hand should have to insist."""


class ArtifactFiles:
    """Implements `ports.artifacts.ArtifactStore`. One process has the directory to itself; threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unfinished = root / "unfinished"
        self._damaged = root / "damaged"
        with disk_errors(root):
            self._unfinished.mkdir(parents=True, exist_ok=True)
            for leftover in self._unfinished.iterdir():
                leftover.unlink()

    def put(self, data: bytes) -> Digest:
        """Store `data` durably and return its digest. Raises: DiskUnusable."""
        return self._take_in(io.BytesIO(data))

    def put_file(self, path: Path) -> Digest:
        """Store a copy of the file durably, in pieces, and return its digest. Raises: DiskUnusable."""
        with disk_errors(path), path.open("rb") as source:
            return self._take_in(source)

    def path(self, digest: Digest) -> Path:
        """Return where the content lies. Raises: NotFound."""
        path = self._root / paths.artifact_name(digest)
        if not path.is_file():
            raise NotFound(f"no artifact has the digest {digest}")
        return path

    def read(self, digest: Digest) -> bytes:
        """Return the content. Raises: NotFound, DataCorrupt: it is not what was stored; it was moved aside."""
        path = self.path(digest)
        with disk_errors(path):
            data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise DataCorrupt(f"artifact {digest} is damaged; it was moved to {self._move_aside(path)}")
        return data

    def _take_in(self, source: BinaryIO) -> Digest:
        with disk_errors(self._root):
            descriptor, name = tempfile.mkstemp(dir=self._unfinished)
            unfinished = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    digest = _copy(source, file)
                    os.fchmod(descriptor, _MODE)
                    file.flush()
                    os.fsync(descriptor)
                # Also when it is there already: this replaces it by the same content, or by the undamaged one.
                self._name(unfinished, digest)
            finally:
                unfinished.unlink(missing_ok=True)
        return digest

    def _name(self, unfinished: Path, digest: Digest) -> None:
        path = self._root / paths.artifact_name(digest)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            sync_directory(self._root)
        unfinished.replace(path)
        sync_directory(path.parent)

    def _move_aside(self, path: Path) -> Path:
        with disk_errors(path):
            self._damaged.mkdir(exist_ok=True)
            aside = self._damaged / path.name
            path.replace(aside)
            sync_directory(self._damaged)
            return aside


def _copy(source: BinaryIO, target: BinaryIO) -> Digest:
    """Copy all of it, and return the digest of what was copied: the source may change meanwhile."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        target.write(chunk)
    return Digest(digest.hexdigest())
