"""The audit chain: who did what, in an order that nobody can change afterwards without being found out.

Each writer has a chain of its own. A link has the hash of the one before it, so that one hash at the end speaks
for everything: editing, deleting, inserting and reordering break the chain at that place. Cutting the end off
breaks nothing by itself; a checkpoint, signed and kept elsewhere, finds that, and a second history too.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HUB = "hub"
"""The name of the hub's own chain."""
NODE = "node"
"""What a node calls itself in its chain: the hub knows which node sent it."""
FIRST = 1
ORIGIN = "0" * 64
"""What the first link has in place of a hash before it."""
TEXT_MAX = 500
_CHECKPOINT_DOMAIN = b"ganglion audit checkpoint 1\0"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. Never a payload, a picture or a secret: names, versions, and why."""

    writer: str
    number: int
    previous: str
    """The hash of the link before."""
    at_ns: int
    """Wall-clock time, UTC."""
    monotonic_ms: int
    """Time since an arbitrary start of the machine's clock: it shows that the wall clock was set."""
    boot: str
    """Which run of the writer; monotonic times of one run can be compared."""
    actor: str
    action: str
    subject: str = ""
    reason: str = ""
    facts: dict[str, str] = {}

    def encode(self) -> bytes:
        """Return the one encoding that is hashed: JSON with sorted keys."""
        return msgspec.json.encode(self, order="sorted")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A hub's signed word that a chain had this hash at this number."""

    writer: str
    number: int
    hash: str
    at_ns: int
    signature: str = ""
    """Ed25519, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A link as a database gives it back."""

    number: int
    hash: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is not what it was. `kind` says what somebody did to it."""

    number: int
    kind: Literal["edited", "missing", "reordered", "truncated", "forked", "forged", "unreadable"]
    text: str


def link_hash(document: bytes) -> str:
    """Return the hash of an encoded link."""
    return hashlib.sha256(document).hexdigest()


def clipped(text: str) -> str:
    """Return a text that fits into a link; what was cut off is marked."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= TEXT_MAX else clean[: TEXT_MAX - 1] + "…"


def sign_checkpoint(private_key: bytes, checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with a signature under the raw private key."""
    signature = Ed25519PrivateKey.from_private_bytes(private_key).sign(_signed_bytes(checkpoint))
    return msgspec.structs.replace(checkpoint, signature=signature.hex())


def is_signed(checkpoint: Checkpoint, public_key: str) -> bool:
    """Tell whether the holder of this key (hexadecimal) signed the checkpoint."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(checkpoint.signature), _signed_bytes(checkpoint))
    except (ValueError, InvalidSignature):
        return False
    return True


def verify(
    links: Iterable[Stored],
    *,
    writer: str,
    checkpoints: Sequence[Checkpoint] = (),
    public_key: str = "",
    anchor: Checkpoint | None = None,
) -> list[Fault]:
    """Return everything that is wrong with a chain, given as it is stored, by number.

    `anchor` is the checkpoint of the last link that was removed because it was old. With `public_key` the
    signatures of anchor and checkpoints are checked too.
    """
    trusted, faults = _trusted([*checkpoints, *([anchor] if anchor else [])], public_key)
    known = {point.number: point.hash for point in trusted}
    start = _Place(anchor.number, anchor.hash) if anchor else _Place(FIRST - 1, ORIGIN)
    place = start
    for stored in links:
        place, found = _step(place, stored, writer)
        faults += found
        if found:
            continue
        if stored.number in known and known[stored.number] != stored.hash:
            faults.append(Fault(stored.number, "forked", "a signed checkpoint has another hash for this number"))
    last = max(known, default=start.number)
    if place.number < last:
        faults.append(
            Fault(place.number + 1, "truncated", f"the chain ends at {place.number}, a checkpoint knows {last}")
        )
    return faults


def same_history(one: Checkpoint, other: Checkpoint) -> bool:
    """Tell whether two heads of a writer can belong to one chain: not with two hashes for one number."""
    return (one.writer, one.number) != (other.writer, other.number) or one.hash == other.hash


@dataclass(frozen=True, slots=True)
class _Place:
    number: int
    hash: str


def _step(place: _Place, stored: Stored, writer: str) -> tuple[_Place, list[Fault]]:
    """Return the place after this link, and what is wrong with it."""
    after = _Place(max(stored.number, place.number), stored.hash)
    try:
        link = msgspec.json.decode(stored.document, type=Link)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return after, [Fault(stored.number, "unreadable", "the link is no JSON of a link")]
    faults = []
    if link_hash(stored.document) != stored.hash or link.encode() != stored.document:
        faults.append(Fault(stored.number, "edited", "its content does not give the hash that it was stored with"))
    if (link.number, link.writer) != (stored.number, writer):
        faults.append(Fault(stored.number, "reordered", f"it was written as number {link.number} of {link.writer}"))
    elif stored.number <= place.number:
        faults.append(Fault(stored.number, "reordered", f"it comes after number {place.number}"))
    elif stored.number > place.number + 1:
        faults.append(Fault(place.number + 1, "missing", f"numbers {place.number + 1} to {stored.number - 1} are gone"))
    elif link.previous != place.hash and not faults:
        faults.append(Fault(stored.number, "edited", "the link before it is not the one that it was written after"))
    return after, faults


def _trusted(points: Sequence[Checkpoint], public_key: str) -> tuple[list[Checkpoint], list[Fault]]:
    if not public_key:
        return list(points), []
    forged = [point for point in points if not is_signed(point, public_key)]
    faults = [Fault(point.number, "forged", "the signature of this checkpoint is not the hub's") for point in forged]
    return [point for point in points if point not in forged], faults


def _signed_bytes(checkpoint: Checkpoint) -> bytes:
    fields: Mapping[str, str | int] = {
        "writer": checkpoint.writer,
        "number": checkpoint.number,
        "hash": checkpoint.hash,
        "at_ns": checkpoint.at_ns,
    }
    return _CHECKPOINT_DOMAIN + msgspec.json.encode(fields, order="sorted")
