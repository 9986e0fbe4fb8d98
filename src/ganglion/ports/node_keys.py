"""The keys with which a node proves who it is: where they lie, the rest of the node does not know.

A node changes its key in two phases. The next key is made and kept before the hub hears of it; it becomes the
present one when the hub has accepted it. Whatever is lost in between, one of the two is good.
"""

from contextlib import AbstractContextManager
from typing import Protocol


class NodeKey(Protocol):
    """One Ed25519 key."""

    @property
    def public_key(self) -> str:
        """Raw, hexadecimal."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`. Raises: KeyStoreUnusable, DiskUnusable."""
        ...


class NodeKeys(Protocol):
    """Safe to use from several threads and processes; every call sees what the others did.

    Every method raises KeyStoreUnusable, DataCorrupt, DiskUnusable.
    """

    def begin(self) -> NodeKey:
        """Return the present key, made if there is none: for a node that joins."""
        ...

    def current(self) -> NodeKey:
        """Return the present key. Raises: DataCorrupt: there is none, and nobody knows a new one."""
        ...

    def upcoming(self) -> NodeKey | None:
        """Return the next key, if one was made."""
        ...

    def prepare(self) -> NodeKey:
        """Return the next key, made and kept durably if there is none."""
        ...

    def adopt(self) -> None:
        """Make the next key the present one, and forget the old one. Doing it again changes nothing."""
        ...

    def alone(self) -> AbstractContextManager[object]:
        """Keep others from changing the keys; not to be entered again inside."""
        ...
