"""Where the hub keeps the inputs of large samples from their arrival until their records are stored, and a while on."""

from typing import Protocol

from ganglion.core.ids import Digest
from ganglion.wire.records import ContentHeld


class ContentStore(Protocol):
    """Content by node and SHA-256. No node can touch, or ask after, what another one has sent. Raises: DiskUnusable."""

    def held(self, node_id: str, digest: Digest) -> ContentHeld:
        """Return how much is here."""
        ...

    def append(
        self, node_id: str, digest: Digest, data: bytes, *, offset: int, size_bytes: int, now_s: float
    ) -> ContentHeld:
        """Write `data` behind what is here, if that is what `offset` says, and return how much is here then.

        What has come to `size_bytes` is checked and synced to disk before it counts as complete.
        Raises: InvalidRequest: it would be more than `size_bytes`, or its digest is another; it is thrown away.
        """
        ...

    def read(self, node_id: str, digest: Digest, *, now_s: float) -> bytes:
        """Return what is complete. Raises: NotFound: it is not here, or was damaged."""
        ...

    def make_room(self, node_id: str, size_bytes: int, *, bytes_max: int, partials_max: int) -> None:
        """Remove what this node used least recently, until `size_bytes` more and another partial one are allowed."""
        ...

    def remove_before(self, then_s: float) -> int:
        """Remove what nobody has used since, of all nodes; return how many files that were."""
        ...
