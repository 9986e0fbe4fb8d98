"""The bytes of a package, mapped into memory: a check that skips the weights never reads them from the disk."""

import contextlib
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

from ganglion.core.manifest import Manifest
from ganglion.disk import disk_errors


@contextlib.contextmanager
def map_members(directory: Path, manifest: Manifest) -> Iterator[Mapping[str, memoryview]]:
    """Give the members of an unpacked package for the while. Raises: DiskUnusable."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(map_file(directory / name)) for name in manifest.members}


@contextlib.contextmanager
def map_file(file: Path) -> Iterator[memoryview]:
    """Give the bytes of a file for the while. Raises: DiskUnusable."""
    with disk_errors(file), file.open("rb") as stream:
        # An empty file cannot be mapped.
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if file.stat().st_size else None
    try:
        yield memoryview(mapped if mapped is not None else b"")
    finally:
        # Whoever was refused still holds parts of it in the error's frames; the last of them frees the map.
        with contextlib.suppress(BufferError):
            if mapped is not None:
                mapped.close()
