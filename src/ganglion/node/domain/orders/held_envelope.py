"""The envelope that a node holds: it stays in force until a newer one is found signed, even when it has expired."""

import msgspec


class HeldEnvelope(msgspec.Struct, frozen=True):
    """A document that was found signed, from the root on."""

    version: int
    """Of the role's metadata: an older one is never taken again."""
    expires_at_s: float
    """From then on it narrows what is built in, and widens nothing."""
    document: bytes
