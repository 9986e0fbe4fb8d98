"""What hub and node say to each other about who the node is."""

import msgspec

from ganglion.wire.schema import SCHEMA


class NodeFacts(msgspec.Struct, frozen=True):
    """What a node says of its machine. Facts choose variants and comparison classes; they grant nothing."""

    arch: str
    runtime: str
    cores: int
    memory_bytes: int
    release: str
    runtimes: tuple[str, ...] = ()
    """All that it can run models with; empty in what nodes of the first release say, which have `runtime` alone."""

    def has_runtime(self, name: str) -> bool:
        """Tell whether the node can run models made for this runtime."""
        return name in (self.runtimes or (self.runtime,))

    @property
    def node_class(self) -> str:
        """Nodes of one class are compared with each other: like with like."""
        return f"{self.arch}-{self.cores}"


class JoinRequest(msgspec.Struct, frozen=True):
    """Spend a join token. The name, site and zone come from the token's row, never from here."""

    token: str
    public_key: str
    """Ed25519, raw, hexadecimal."""
    facts: NodeFacts
    schema: int = SCHEMA


class JoinReply(msgspec.Struct, frozen=True):
    """Who the node is now, and the TUF root it trusts from here on."""

    node_id: str
    name: str
    site: str
    incarnation: str
    tuf_root: bytes
    schema: int = SCHEMA


class Challenge(msgspec.Struct, frozen=True):
    """A nonce to be signed within `expires_in_s`; good once."""

    nonce: str
    expires_in_s: int
    issued_at_s: float = 0.0
    """The hub's clock. The node repeats it in its assertion: its own clock may be wrong, and it must still report."""


class AccessRequest(msgspec.Struct, frozen=True):
    """A signed assertion (see `trust.assertion`) in exchange for an access token."""

    assertion: bytes
    signature: bytes
    measured: bytes = b""
    """What the node measured of itself (see `trust.node_statements`); empty when it says nothing."""
    measured_signature: bytes = b""


class RekeyRequest(msgspec.Struct, frozen=True):
    """Announce the key that the node will use from now on (see `trust.node_statements`)."""

    statement: bytes
    signature: bytes
    """With the present key."""
    next_signature: bytes
    """With the key that is announced: whoever announces it has it."""


class AccessReply(msgspec.Struct, frozen=True):
    """A bearer token for the node's calls."""

    access_token: str
    expires_in_s: int
