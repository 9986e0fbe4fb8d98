"""A directory for files that a process needs while it runs, which goes with the process however that ends.

What was killed cannot clean up. So each directory is locked by its process, and whoever comes next removes those that
nobody holds any more.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.core.errors import DiskUnusable

PREFIX = "ganglion-scratch-"


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Yield an empty directory of this process alone, below the system's directory for such files.

    Raises: DiskUnusable.
    """
    try:
        parent = Path(tempfile.gettempdir())
        _remove_abandoned(parent)
        path, lock = _locked_directory(parent)
    except OSError as error:
        raise DiskUnusable(f"no directory for temporary files can be made: {error.strerror}") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked_directory(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = _lock(path)
        # Between making and locking it, another process may have taken it for an abandoned one.
        if lock is not None and path.exists():
            return path, lock
        if lock is not None:
            os.close(lock)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _lock(path)
            if lock is None:
                continue
            try:
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the directory; None when another process does, or when it is not ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
