"""A lock that other processes respect."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.core.errors import DiskUnusable


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file; the system gives it back when the process ends. Raises: DiskUnusable."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise DiskUnusable(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
