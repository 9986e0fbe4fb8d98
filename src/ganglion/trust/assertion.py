"""How a node proves who it is: a short statement, signed with the key that was enrolled.

There is one algorithm, Ed25519, and no field to choose another. The statement has exactly one
encoding, and is signed under a prefix that no other signature of this platform uses.
"""

import hmac
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ganglion.core.errors import InvalidRequest
from ganglion.core.identity_errors import Unauthenticated

_DOMAIN = b"ganglion node assertion 1\0"
_PAYLOAD_BYTES_MAX = 1024
_AHEAD_S_MAX = 30.0
"""The time in a statement is the hub's own, so only a hub whose clock was set back sees one from the future."""


class Assertion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node's statement that it is talking to this hub, now."""

    node_id: str
    audience: str
    """The CA pin of the hub that the statement is meant for: worth nothing to another, good after a restore."""
    nonce: str
    """From the hub's challenge."""
    issued_at_s: float
    """The time that the hub's challenge named: the node's own clock may be wrong."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a verifier demands. That the nonce is good, and good once, is for the caller to find out."""

    audience: str
    now_s: float
    age_s_max: float = 120.0


def compose(*, node_id: str, audience: str, nonce: str, issued_at_s: float) -> bytes:
    """Return the payload to be signed."""
    return _encode(Assertion(node_id=node_id, audience=audience, nonce=nonce, issued_at_s=float(issued_at_s)))


def sign(private_key: bytes, payload: bytes) -> bytes:
    """Return the signature of `payload` under the raw 32-byte `private_key`."""
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(signed_bytes(payload))


def signed_bytes(payload: bytes) -> bytes:
    """Return what is signed of a payload, for keys that are not at hand as bytes."""
    return _DOMAIN + payload


def is_signed(public_key_hex: str, payload: bytes, signature: bytes) -> bool:
    """Say whether the holder of the key signed this payload. It proves nothing yet: see `verify`."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key_hex)).verify(signature, signed_bytes(payload))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(private_key: bytes) -> str:
    """Return the public key that belongs to a raw private key, hexadecimal."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw().hex()


def parse_public_key(text: str) -> str:
    """Return `text` if it is a raw Ed25519 public key, hexadecimal. Raises: InvalidRequest."""
    try:
        raw = bytes.fromhex(text)
        Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise InvalidRequest("public_key is not an Ed25519 key: 64 hexadecimal digits") from error
    if raw.hex() != text:
        raise InvalidRequest("public_key must be written in lower case, without spaces")
    return text


def parse(payload: bytes) -> Assertion:
    """Return what the payload claims. Nothing is proved yet. Raises: Unauthenticated."""
    if len(payload) > _PAYLOAD_BYTES_MAX:
        raise Unauthenticated(f"the assertion has {len(payload)} bytes, at most {_PAYLOAD_BYTES_MAX} are read")
    try:
        assertion = msgspec.json.decode(payload, type=Assertion)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unauthenticated(f"the assertion cannot be read: {error}") from error
    # Two spellings of one statement (a key twice, other spaces) would let two readers disagree.
    if _encode(assertion) != payload:
        raise Unauthenticated("the assertion is not in its one encoding")
    return assertion


def verify(public_key_hex: str, payload: bytes, signature: bytes, expected: Expectation) -> Assertion:
    """Return the assertion if the holder of the key made it for this hub, now. Raises: Unauthenticated."""
    if not is_signed(public_key_hex, payload, signature):
        raise Unauthenticated("the assertion is not signed with the enrolled key")
    assertion = parse(payload)
    _check_claims(assertion, expected)
    return assertion


def _check_claims(assertion: Assertion, expected: Expectation) -> None:
    if not hmac.compare_digest(assertion.audience.encode(), expected.audience.encode()):
        raise Unauthenticated("the assertion was made for another hub")
    age_s = expected.now_s - assertion.issued_at_s
    if age_s > expected.age_s_max:
        raise Unauthenticated(f"the assertion is {age_s:.0f} s old, at most {expected.age_s_max:.0f} s are accepted")
    if age_s < -_AHEAD_S_MAX:
        raise Unauthenticated(f"the assertion is {-age_s:.0f} s ahead of the hub's clock")


def _encode(assertion: Assertion) -> bytes:
    return msgspec.json.encode(assertion)
