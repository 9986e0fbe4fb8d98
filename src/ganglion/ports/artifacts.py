"""A store of immutable content by its SHA-256."""

from pathlib import Path
from typing import Protocol

from ganglion.core.ids import Digest


class ArtifactStore(Protocol):
    """Put once, read for ever. Putting the same content again changes nothing."""

    def put(self, data: bytes) -> Digest:
        """Store `data` durably and return its digest. Raises: DiskUnusable."""
        ...

    def put_file(self, path: Path) -> Digest:
        """Store a file's content durably and return its digest; the file may be gone afterwards.

        Raises: DiskUnusable.
        """
        ...

    def path(self, digest: Digest) -> Path:
        """Return where the content lies. Raises: NotFound."""
        ...

    def read(self, digest: Digest) -> bytes:
        """Return the content. Raises: NotFound, DataCorrupt: the bytes are not the stored ones any more."""
        ...
