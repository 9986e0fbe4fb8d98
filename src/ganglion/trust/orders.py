"""The hub's signed word that a person asks one node to do something once.

It is signed with the key for assignments, which the root names: neither whoever holds the hub's TLS key nor a copy of
an earlier order can have a node run anything. What may be run at all the envelope says, which the hub cannot sign.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ganglion.core.trust_errors import ArtifactUntrusted

_DOMAIN: Final = b"ganglion node order 1\0"
_PAYLOAD_BYTES_MAX: Final = 16_384


class OrderStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed of an order."""

    node_id: str
    id: str
    name: str
    arguments: tuple[str, ...] = ()
    count: int = 0
    expires_at_s: float
    person: str
    """Who asks: an account, or `token:NAME` for a program."""
    role: str
    """What this person is to the hub."""


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """A statement in its transported form."""

    payload: bytes
    key_id: str
    """The raw Ed25519 public key, hexadecimal."""
    signature: bytes


OrderSigner = Callable[[OrderStatement], SignedOrder | None]
"""Signs with the hub's key; None when the root names none."""


def sign(private_key: bytes, statement: OrderStatement) -> SignedOrder:
    """Return `statement` signed with a raw 32-byte Ed25519 key. The same statement gives the same bytes."""
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    payload = msgspec.json.encode(statement)
    return SignedOrder(payload, key.public_key().public_bytes_raw().hex(), key.sign(_DOMAIN + payload))


def verify(keys: tuple[str, ...], signed: SignedOrder, expected: OrderStatement) -> None:
    """Make sure that one of these keys signed what is `expected`. Raises: ArtifactUntrusted."""
    if not signed.key_id:
        raise ArtifactUntrusted("the order is not signed")
    if signed.key_id not in keys:
        raise ArtifactUntrusted(f"the order is signed with {signed.key_id[:12]!r}, a key that the root does not name")
    if len(signed.payload) > _PAYLOAD_BYTES_MAX:
        raise ArtifactUntrusted(f"the order has {len(signed.payload)} bytes, at most {_PAYLOAD_BYTES_MAX} are read")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.key_id))
        key.verify(signed.signature, _DOMAIN + signed.payload)
        said = msgspec.json.decode(signed.payload, type=OrderStatement)
    except (InvalidSignature, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ArtifactUntrusted("the signature of the order is wrong") from error
    wrong = [name for name in said.__struct_fields__ if getattr(said, name) != getattr(expected, name)]
    if wrong:
        raise ArtifactUntrusted(f"the signed order names another {', '.join(wrong)}")
