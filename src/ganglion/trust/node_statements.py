"""What a node signs beside its assertion: the key that it will use from now on, and what it measured of itself.

Each has a prefix of its own, one encoding, and the nonce of a challenge: none can be taken for another, or sent twice.
"""

from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ganglion.core.identity_errors import Unauthenticated

_PAYLOAD_BYTES_MAX = 4096


class Rekey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node's wish to be known by another key. Signed with the old one and with the new one."""

    node_id: str
    audience: str
    """The CA pin of the hub."""
    nonce: str
    public_key: str
    """The new one, raw, hexadecimal."""


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a node found on itself, by the name of each fact."""

    node_id: str
    audience: str
    nonce: str
    """That of the assertion with which it is sent."""
    facts: dict[str, str]


S = TypeVar("S", bound=Rekey | Measured)

_REKEY_DOMAIN, _FACTS_DOMAIN = b"ganglion node rekey 1\0", b"ganglion node facts 1\0"


def encode(statement: Rekey | Measured) -> bytes:
    """Return the payload that is sent."""
    return msgspec.json.encode(statement, order="sorted")


def signed_bytes(kind: type[S], payload: bytes) -> bytes:
    """Return what is signed of a payload."""
    return (_REKEY_DOMAIN if issubclass(kind, Rekey) else _FACTS_DOMAIN) + payload


def verify(kind: type[S], public_key_hex: str, payload: bytes, signature: bytes) -> S:
    """Return the statement that the holder of this key signed. Raises: Unauthenticated."""
    if len(payload) > _PAYLOAD_BYTES_MAX:
        raise Unauthenticated(f"the statement has {len(payload)} bytes, at most {_PAYLOAD_BYTES_MAX} are read")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key_hex))
        key.verify(signature, signed_bytes(kind, payload))
    except (InvalidSignature, ValueError) as error:
        raise Unauthenticated("the statement is not signed with the key that it needs") from error
    try:
        statement = msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unauthenticated(f"the statement cannot be read: {error}") from error
    if encode(statement) != payload:
        raise Unauthenticated("the statement is not in its one encoding")
    return statement
