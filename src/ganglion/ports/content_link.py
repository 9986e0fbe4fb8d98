"""The node's side of handing over the inputs of large samples. Blocking calls; every one has a deadline."""

from typing import Protocol

from ganglion.wire.records import ContentHeld


class ContentLink(Protocol):
    """The part of the line to the hub that large samples need. Raises what `HubLink` raises.

    NotFound: the hub is of a release that takes samples inside their records only.
    """

    def content_held(self, sha256: str) -> ContentHeld:
        """Ask how much of this node's content with that digest the hub has."""
        ...

    def put_content(self, sha256: str, piece: bytes, *, offset: int, size_bytes: int) -> ContentHeld:
        """Hand over the bytes from `offset` on; `size_bytes` is the size of all of it.

        The answer says how much the hub has then: no more than before when `offset` is not where it goes on.
        Raises: InvalidRequest: all is there, and has another digest; the hub has thrown it away. TooLarge.
        """
        ...
