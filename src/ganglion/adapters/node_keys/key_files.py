"""A node's keys as files that only their owner can read. Implements `ports.node_keys`.

A key is 32 raw bytes. A file is whole or not there, whatever happens while it is written.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ganglion.adapters.node_keys.locking import file_lock
from ganglion.core.errors import DataCorrupt
from ganglion.disk import disk_errors, sync_directory

_CURRENT, _NEXT = "node.key", "next.key"
_KEY_BYTES = 32


class RawKey:
    """A key whose 32 bytes are at hand. They are not shown when this is printed."""

    def __init__(self, raw: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(raw)

    @property
    def public_key(self) -> str:
        """See the port."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """See the port."""
        return self._key.sign(data)


class NodeKeyFiles:
    """`node.key` and, while the key is being changed, `next.key` in one directory."""

    def __init__(self, directory: Path) -> None:
        """Raises: DiskUnusable."""
        self._directory = directory
        self._making = threading.Lock()
        with disk_errors(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)

    def begin(self) -> RawKey:
        """See the port."""
        return self._read(_CURRENT) or self._make(_CURRENT)

    def current(self) -> RawKey:
        """See the port."""
        key = self._read(_CURRENT)
        if key is None:
            file = self._directory / _CURRENT
            raise DataCorrupt(f"{file} is missing: restore it, or join again in a new directory")
        return key

    def upcoming(self) -> RawKey | None:
        """See the port."""
        return self._read(_NEXT)

    def prepare(self) -> RawKey:
        """See the port."""
        return self._read(_NEXT) or self._make(_NEXT)

    def adopt(self) -> None:
        """See the port."""
        with disk_errors(self._directory):
            try:
                (self._directory / _NEXT).replace(self._directory / _CURRENT)
            except FileNotFoundError:
                return
            sync_directory(self._directory)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See the port."""
        with file_lock(self._directory / "lock"):
            yield

    def _read(self, name: str) -> RawKey | None:
        path = self._directory / name
        with disk_errors(path):
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                return None
        if len(raw) != _KEY_BYTES:
            raise DataCorrupt(f"{path} holds {len(raw)} bytes, a key has {_KEY_BYTES}; put a backup in its place")
        return RawKey(raw)

    def _make(self, name: str) -> RawKey:
        with self._making, disk_errors(self._directory):
            known = self._read(name)
            if known is not None:
                return known
            raw = Ed25519PrivateKey.generate().private_bytes_raw()
            descriptor, unfinished = tempfile.mkstemp(prefix=".unfinished-", dir=self._directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(raw)
                    file.flush()
                    os.fsync(descriptor)
                Path(unfinished).replace(self._directory / name)
                sync_directory(self._directory)
            finally:
                Path(unfinished).unlink(missing_ok=True)
        return RawKey(raw)
