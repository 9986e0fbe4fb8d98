"""Small files that matter: replaced in one step, synced before anybody is told, one process per directory.

After a power cut a file is the old one or the new one, never a part. Every refusal of the disk is `DiskUnusable`.
"""

import fcntl
import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ganglion.core.errors import DataCorrupt, DataInUse, InvalidName
from ganglion.disk import disk_errors, sync_directory

_UNFINISHED = ".unfinished-"
"""Begins the names of files that are being written."""
_NAME_LENGTH_MAX = 200
_KEY_BYTES = 32


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path`, whole and durable, or leave what is there. Raises: DiskUnusable."""
    with disk_errors(path):
        descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            unfinished.replace(path)
            sync_directory(path.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def remove_unfinished(directory: Path) -> None:
    """Remove what a crash left half-written. Only for who has the directory to itself. Raises: DiskUnusable."""
    with disk_errors(directory):
        for leftover in directory.glob(f"{_UNFINISHED}*"):
            leftover.unlink(missing_ok=True)


class DirectoryLock:
    """The exclusive use of a directory. The system ends it when the process ends, however that happens."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def fileno(self) -> int:
        """Return the descriptor: a child that inherits it holds the directory for as long as it lives."""
        assert self._descriptor is not None, "a released lock cannot be handed on"
        return self._descriptor

    def release(self) -> None:
        """Let others have the directory. Releasing twice is the same as once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def lock_directory(path: Path) -> DirectoryLock:
    """Make the directory if it is missing, and keep other processes out of it.

    A directory that was locked before is locked on a full or read-only disk too: a node must serve from one.
    Raises: DataInUse: another process has it. DiskUnusable.
    """
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        descriptor = _open_lock(path / "lock")
        try:
            _take(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
    return DirectoryLock(descriptor)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, _NAME_LENGTH_MAX, 0).decode(errors="replace")
        raise DataInUse(f"{path} is in use by process {holder or 'unknown'}") from error
    # The lock is what counts; whose it is, is told to people where the disk takes a word.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _open_lock(file: Path) -> int:
    try:
        return os.open(file, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError:
        # Reading is enough for a lock. What cannot be read either is refused with the reason.
        return os.open(file, os.O_RDONLY)


class DirectoryFiles:
    """Named files of one directory, replaced in one step each. Implements `ports.metadata_files.MetadataFiles`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        remove_unfinished(root)

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None. Raises: DiskUnusable, InvalidName."""
        path = self._root / _plain(name)
        with disk_errors(path), suppress(FileNotFoundError):
            return path.read_bytes()
        return None

    def write(self, name: str, data: bytes) -> None:
        """Replace a file. Raises: DiskUnusable, InvalidName."""
        replace_file(self._root / _plain(name), data)


class KeyFiles:
    """Ed25519 keys by role, raw, readable by their owner only. Implements `ports.metadata_files.SigningKeys`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._making = threading.Lock()
        with disk_errors(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)
        remove_unfinished(root)

    def private_bytes(self, role: str) -> bytes:
        """Return the 32 raw bytes of the role's private key, made on first use.

        Raises: DataCorrupt: the file is not a key; nodes trust the old one, so no new one is made. DiskUnusable.
        """
        path = self._root / f"{_plain(role)}.key"
        with self._making:
            with disk_errors(path), suppress(FileNotFoundError):
                return _key_in(path)
            key = Ed25519PrivateKey.generate().private_bytes_raw()
            replace_file(path, key, mode=0o600)
            return key

    def held_bytes(self, role: str) -> bytes | None:
        """Return the key's 32 raw bytes if it is there. Raises: DataCorrupt, DiskUnusable."""
        path = self._root / f"{_plain(role)}.key"
        with disk_errors(path), suppress(FileNotFoundError):
            return _key_in(path)
        return None

    def remove(self, role: str) -> None:
        """Delete a key, durably. Raises: DiskUnusable."""
        path = self._root / f"{_plain(role)}.key"
        with disk_errors(path):
            path.unlink(missing_ok=True)
            sync_directory(self._root)


def _key_in(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise DataCorrupt(f"{path} holds {len(key)} bytes, a key has {_KEY_BYTES}; put a backup in its place")
    return key


def _plain(name: str) -> str:
    """Return `name` if it stays in its directory and cannot be an unfinished file. Raises: InvalidName."""
    plain = name.isprintable() and "/" not in name and not name.startswith(".")
    if not plain or not 0 < len(name) <= _NAME_LENGTH_MAX:
        raise InvalidName(f"{name[:80]!r} cannot name a file here")
    return name
