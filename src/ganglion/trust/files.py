"""The hub's signed word on which reference files one node should have.

It is signed with the key for assignments, which the root names, and belongs to one revision of one node's desired
state: neither an old list nor another node's can pass for it, and nothing can be left out of it or added to it.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ganglion.core.trust_errors import ArtifactUntrusted

_DOMAIN: Final = b"ganglion node files 1\0"
_PAYLOAD_BYTES_MAX: Final = 65_536


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file by its content."""

    name: str
    sha256: str
    size_bytes: int


class FilesStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: all reference files of a node, in the order of the desired state."""

    node_id: str
    incarnation: str
    revision: int
    files: tuple[ListedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """A statement in its transported form."""

    payload: bytes
    key_id: str
    """The raw Ed25519 public key, hexadecimal."""
    signature: bytes


def sign(private_key: bytes, statement: FilesStatement) -> SignedFiles:
    """Return `statement` signed with a raw 32-byte Ed25519 key. The same statement gives the same bytes."""
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    payload = msgspec.json.encode(statement)
    return SignedFiles(payload, key.public_key().public_bytes_raw().hex(), key.sign(_DOMAIN + payload))


def verify(keys: tuple[str, ...], signed: SignedFiles, expected: FilesStatement) -> None:
    """Make sure that one of these keys signed what is `expected`. Raises: ArtifactUntrusted."""
    if not signed.key_id:
        raise ArtifactUntrusted("the list of reference files is not signed")
    if signed.key_id not in keys:
        stranger = signed.key_id[:12]
        raise ArtifactUntrusted(f"the root does not name {stranger!r}, which signed the list of reference files")
    if len(signed.payload) > _PAYLOAD_BYTES_MAX:
        raise ArtifactUntrusted(f"the list of reference files has more than {_PAYLOAD_BYTES_MAX} bytes")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.key_id))
        key.verify(signed.signature, _DOMAIN + signed.payload)
        said = msgspec.json.decode(signed.payload, type=FilesStatement)
    except (InvalidSignature, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ArtifactUntrusted("the signature of the list of reference files is wrong") from error
    if said != expected:
        raise ArtifactUntrusted("the signed list of reference files is another one, or of another node or revision")
