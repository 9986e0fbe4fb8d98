"""Files and directories that appear whole or not at all, also when the power goes."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ganglion.disk import disk_errors, sync_directory


def create_directory(directory: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a hidden neighbour, then give it the name `directory`, replacing what has it.

    Raises: DiskUnusable; whatever `fill` raises. Nothing is left behind then.
    """
    partial = directory.parent / f".{directory.name}.partial"
    replaced = directory.parent / f".{directory.name}.replaced"
    with disk_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        partial.mkdir()
        try:
            fill(partial)
            _sync_tree(partial)
            _remove(replaced)
            if directory.exists():
                directory.rename(replaced)
            partial.rename(directory)
        finally:
            _remove(partial)
        sync_directory(directory.parent)
        _remove(replaced)


@contextlib.contextmanager
def create_file(file: Path) -> Iterator[Path]:
    """Give a hidden neighbour to write; it gets the name `file` when the block ends well."""
    partial = file.parent / f".{file.name}.partial"
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        sync_directory(file.parent)


def _sync_tree(root: Path) -> None:
    """Files are synced by their writers; this makes their names durable."""
    for folder, _, _ in os.walk(root):
        sync_directory(Path(folder))


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
