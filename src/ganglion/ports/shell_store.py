"""Recordings of interactive sessions, as the hub keeps them."""

from typing import Protocol


class CastStore(Protocol):
    """Recordings by the session's id."""

    def put(self, shell_id: str, data: bytes) -> None:
        """Keep one, whole or not at all. Raises: DiskUnusable."""
        ...

    def content(self, shell_id: str) -> bytes:
        """Return one. Raises: NotFound, DiskUnusable."""
        ...

    def remove(self, shell_id: str) -> None:
        """Forget one. Raises: DiskUnusable."""
        ...
