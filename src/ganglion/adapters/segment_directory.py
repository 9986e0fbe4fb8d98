"""Segments of audit chains in a plain directory: another disk, a mounted share, a store that is written once.

Files are written whole, and for reading alone. That is no lock: who owns the directory can remove them.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ganglion.core.errors import Conflict, DataCorrupt, NotFound
from ganglion.disk import disk_errors, sync_directory
from ganglion.trust.audit_segment import BYTES_MAX, is_name

_MODE = 0o444


class SegmentDirectory:
    """Implements `ports.segment_store.SegmentStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> Sequence[str]:
        """See the port."""
        with disk_errors(self._root, but=(FileNotFoundError,)):
            found = [path.relative_to(self._root).as_posix() for path in self._root.glob("*/*.jsonl")]
        return [name for name in found if is_name(name)]

    def put(self, name: str, data: bytes, *, keep_until_s: float) -> None:  # noqa: ARG002 - a directory locks nothing
        """See the port."""
        path = self._place(name)
        with disk_errors(path, but=(FileNotFoundError,)):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, draft = tempfile.mkstemp(prefix=".unfinished-", dir=path.parent)
            unfinished = Path(draft)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    os.fchmod(descriptor, _MODE)
                    file.flush()
                    os.fsync(descriptor)
                # A link, and no renaming: it never takes the place of what is there.
                os.link(unfinished, path)
            except FileExistsError as error:
                if path.read_bytes() != data:
                    raise Conflict(f"{path} holds another history for the same links") from error
            finally:
                unfinished.unlink(missing_ok=True)
            sync_directory(path.parent)

    def get(self, name: str) -> bytes:
        """See the port."""
        path = self._place(name)
        try:
            with disk_errors(path, but=(FileNotFoundError,)):
                if path.stat().st_size > BYTES_MAX:
                    raise DataCorrupt(f"{path} is larger than any segment")
                return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no {path}") from error

    def _place(self, name: str) -> Path:
        assert is_name(name), "names come from segments, and lead nowhere else"
        return self._root / name
