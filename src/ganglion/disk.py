"""What every adapter that writes files needs: refusals of the disk in our words, and names that outlive a power cut."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganglion.core.errors import DiskUnusable


@contextmanager
def disk_errors(path: Path, *, but: tuple[type[OSError], ...] = ()) -> Iterator[None]:
    """Turn the operating system's refusals into ours, apart from `but`. Raises: DiskUnusable."""
    try:
        yield
    except but:
        raise
    except OSError as error:
        raise DiskUnusable(f"{path}: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Make new names in `directory` durable: without this a power cut may forget a rename. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
