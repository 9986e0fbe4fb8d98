"""Proves shipped segments of an audit chain, without the hub that shipped them."""

from dataclasses import dataclass

from ganglion.core.errors import DataCorrupt, NotFound
from ganglion.ports.segment_store import SegmentStore
from ganglion.trust import audit_segment
from ganglion.trust.audit import Fault
from ganglion.trust.audit_segment import Proved
from ganglion.wire.people_resources import AuditFault


@dataclass(frozen=True, slots=True)
class SegmentProof:
    """What came of it."""

    writer: str
    segments: int
    first: int
    """Number of the first link that is there: older ones were never shipped, or removed after their time."""
    last: int
    faults: list[AuditFault]
    public_key: str
    """Ed25519, hexadecimal: it checked the checkpoints."""


def prove_segments(store: SegmentStore, writer: str, *, public_key: str = "") -> SegmentProof:
    """Read every segment of a writer, oldest first, and say what is wrong.

    Raises: NotFound: there is none. SegmentStoreUnavailable, DiskUnusable.
    """
    names = audit_segment.in_order(store.names(), writer)
    if not names:
        raise NotFound(f"no segments of {writer[:80]!r} are there")
    place: Proved | None = None
    first, faults = 0, list[Fault]()
    for name in names:
        try:
            data = store.get(name)
            first = first or audit_segment.parse(data)[0].first
            place, found = audit_segment.verify(name, data, after=place, public_key=public_key)
        except (DataCorrupt, NotFound) as error:
            found = [Fault(_first_of(name), "unreadable", f"{name}: {error.message}")]
        faults += found
    return SegmentProof(
        writer=writer,
        segments=len(names),
        first=first,
        last=place.last if place else 0,
        faults=[AuditFault(fault.number, fault.kind, fault.text) for fault in faults],
        public_key=place.public_key if place else public_key,
    )


def _first_of(name: str) -> int:
    return int(name.partition("/")[2].partition("-")[0])
