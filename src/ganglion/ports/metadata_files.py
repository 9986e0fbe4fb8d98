"""Where the hub keeps its TUF metadata and the keys that sign it."""

from typing import Protocol


class MetadataFiles(Protocol):
    """Small named files, replaced in one step each."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None. Raises: DiskUnusable."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Replace a file; after a power cut it is the old or the new one. Raises: DiskUnusable."""
        ...


class SigningKeys(Protocol):
    """Ed25519 private keys by role name; made on first use, never shown."""

    def private_bytes(self, role: str) -> bytes:
        """Return the 32 raw bytes of the role's private key. Raises: DiskUnusable."""
        ...

    def held_bytes(self, role: str) -> bytes | None:
        """Return the same if the key is there, and make none. Raises: DiskUnusable."""
        ...

    def remove(self, role: str) -> None:
        """Forget a key for good; removing one that is not there changes nothing. Raises: DiskUnusable."""
        ...
