"""The hub's own word beside the model role's: this node should serve these bytes.

A model role says which bytes are a version; it does not say who should run them. The hub says that, per node, with an
online key that the root names. A node acts only when both agree, so neither a stolen model key nor a server that
only pretends to be the hub moves a node by itself. The key stands in a field of our own in the root, because TUF's
four top-level roles are a closed list; it changes only with the root's threshold of signatures.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tuf.api.metadata import Root

from ganglion.core.trust_errors import ArtifactUntrusted, AssignmentOutdated

ROLE: Final = "assignment"
"""Name of the hub's signing key for assignments, as `timestamp` and `snapshot` are names."""

_FIELD: Final = "ganglion_assignment_keys"
_DOMAIN: Final = b"ganglion node assignment 1\0"
_PAYLOAD_BYTES_MAX: Final = 65_536


class AssignmentStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub says to one node about one model. Unknown fields are kept out of the comparison, not refused."""

    node_id: str
    incarnation: str
    """Which life of the hub counts the revisions."""
    revision: int
    """Revision of the desired state that this statement is part of: an old statement cannot pass for a new one."""
    target_path: str
    sha256: str
    size_bytes: int
    rollout_id: str = ""
    policy: msgspec.Raw = msgspec.Raw(b"{}")
    """The deployment policy as JSON. Whoever verifies decodes it, and compares what it knows of it."""


@dataclass(frozen=True, slots=True)
class SignedAssignment:
    """A statement in its transported form."""

    payload: bytes
    key_id: str
    """The raw Ed25519 public key, hexadecimal."""
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAssignment:
    """What the node was told over the link, and what the statement must therefore say."""

    node_id: str
    target_path: str
    sha256: str
    size_bytes: int
    rollout_id: str = ""


def sign(private_key: bytes, statement: AssignmentStatement) -> SignedAssignment:
    """Return `statement` signed with a raw 32-byte Ed25519 key. The same statement gives the same bytes."""
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    payload = msgspec.json.encode(statement)
    return SignedAssignment(payload, key.public_key().public_bytes_raw().hex(), key.sign(_DOMAIN + payload))


def verify(root: Root, signed: SignedAssignment, expected: ExpectedAssignment) -> AssignmentStatement:
    """Return the statement if a key that this verified root names signed it, and it says what is expected.

    The caller compares the policy, and the revision when it takes a desired state in.
    Raises: ArtifactUntrusted. AssignmentOutdated: signed with an earlier key, or with a stranger's.
    """
    statement = _verified(keys_of(root), signed)
    said = (statement.node_id, statement.target_path, statement.sha256, statement.size_bytes, statement.rollout_id)
    demanded = (
        expected.node_id, expected.target_path, expected.sha256, expected.size_bytes, expected.rollout_id,
    )  # fmt: skip
    if said != demanded:
        names = ("node", "target path", "digest", "size", "rollout")
        wrong = [name for name, one, other in zip(names, said, demanded, strict=True) if one != other]
        raise ArtifactUntrusted(f"the signed assignment of {expected.target_path} names another {', '.join(wrong)}")
    return statement


def is_demanded(root: Root) -> bool:
    """Tell whether this root names assignment keys: a hub of an earlier release has none, and signs no assignment."""
    return _FIELD in root.unrecognized_fields


def keys_of(root: Root) -> tuple[str, ...]:
    """Return the raw public keys, hexadecimal, that may sign assignments. Raises: ArtifactUntrusted: malformed."""
    field = root.unrecognized_fields.get(_FIELD, [])
    try:
        return msgspec.convert(field, tuple[str, ...])
    except msgspec.ValidationError as error:
        raise ArtifactUntrusted(f"the root's list of assignment keys cannot be read: {error}") from error


def name_keys(root: Root, keys: tuple[str, ...]) -> None:
    """Write into `root`, before it is signed, which keys may sign assignments. Raw public keys, hexadecimal."""
    root.unrecognized_fields[_FIELD] = sorted(keys)


def public_key_of(private_key: bytes) -> str:
    """Return the public half of a raw private key, hexadecimal."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw().hex()


def _verified(keys: tuple[str, ...], signed: SignedAssignment) -> AssignmentStatement:
    if not signed.key_id:
        raise ArtifactUntrusted("the assignment is not signed, and the root names keys for assignments")
    if signed.key_id not in keys:
        # No verdict on the version: after a rotation the root may arrive before the word that is signed anew.
        stranger = signed.key_id[:12]
        raise AssignmentOutdated(f"the assignment is signed with {stranger}, a key that the root does not name")
    if len(signed.payload) > _PAYLOAD_BYTES_MAX:
        raise ArtifactUntrusted(
            f"the assignment has {len(signed.payload)} bytes, at most {_PAYLOAD_BYTES_MAX} are read"
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.key_id))
        key.verify(signed.signature, _DOMAIN + signed.payload)
        return msgspec.json.decode(signed.payload, type=AssignmentStatement)
    except (InvalidSignature, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ArtifactUntrusted("the signature of the assignment is wrong") from error
