"""A closed range of an audit chain as one file, which proves itself without the hub.

The first line says which range it is and holds the hub's checkpoint for the last link; each line after it is the
very text that was hashed. The name holds the range and the last hash, so one range with one history has one name.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.core.errors import DataCorrupt
from ganglion.trust import audit
from ganglion.trust.audit import FIRST, ORIGIN, Checkpoint, Fault, Stored

BYTES_MAX = 64_000_000
_NAME = re.compile(r"(?P<writer>[A-Za-z0-9._-]{1,64})/(?P<first>\d{12})-(?P<last>\d{12})-(?P<hash>[0-9a-f]{16})\.jsonl")
_HASH_SHOWN = 16


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    first: int
    previous: str
    """The hash of the link before the first: it ties this segment to the one before."""
    checkpoint: Checkpoint
    """Signed for the last link."""
    public_key: str
    """Checks the checkpoint, hexadecimal. Whoever verifies compares it with one that was kept elsewhere."""
    schema: int = 1

    @property
    def name(self) -> str:
        """The name of the file, below its writer's."""
        point = self.checkpoint
        return f"{point.writer}/{self.first:012d}-{point.number:012d}-{point.hash[:_HASH_SHOWN]}.jsonl"


def encode(head: SegmentHead, documents: Iterable[bytes]) -> bytes:
    """Return the file."""
    return b"".join(line + b"\n" for line in (msgspec.json.encode(head, order="sorted"), *documents))


def is_name(text: str) -> bool:
    """Tell whether a file is a segment, by its name."""
    return _NAME.fullmatch(text) is not None


def parse(data: bytes) -> tuple[SegmentHead, list[Stored]]:
    """Return the first line, and the links. Raises: DataCorrupt: it is no segment."""
    lines = data.split(b"\n")
    if len(data) > BYTES_MAX or lines.pop() != b"":
        raise DataCorrupt("not a whole segment of an audit chain: its end is missing, or it is too large")
    try:
        head = msgspec.json.decode(lines[0] if lines else b"", type=SegmentHead)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataCorrupt(f"not a segment of an audit chain: {error}") from error
    links = [Stored(_number_of(line), audit.link_hash(line), line) for line in lines[1:]]
    return head, links


@dataclass(frozen=True, slots=True)
class Proved:
    """What is known after a segment: where the next one has to go on."""

    last: int = FIRST - 1
    hash: str = ORIGIN
    public_key: str = ""


def verify(name: str, data: bytes, *, after: Proved | None, public_key: str = "") -> tuple[Proved, list[Fault]]:
    """Return where the chain stands behind this segment, and everything that is wrong with it.

    `after` is the outcome of the segment before; None: nothing is known of what came before. With `public_key` the
    checkpoint must be that key's; otherwise the key of the segment before, or the one that the segment names.
    Raises: DataCorrupt: it is no segment.
    """
    head, links = parse(data)
    point = head.checkpoint
    key = public_key or (after.public_key if after else "") or head.public_key
    faults: list[Fault] = []
    if head.name != name:
        faults.append(Fault(head.first, "forged", f"{name} holds what would be called {head.name}"))
    if not audit.is_signed(point, key):
        faults.append(Fault(point.number, "forged", f"the checkpoint is not signed with the key {key[:16]}…"))
    if after is not None and (head.first, head.previous) != (after.last + 1, after.hash):
        faults.append(_gap(head, after))
    anchor = Checkpoint(writer=point.writer, number=head.first - 1, hash=head.previous, at_ns=0)
    faults += audit.verify(links, writer=point.writer, checkpoints=[point], anchor=anchor)
    if links and links[-1].number > point.number:
        faults.append(
            Fault(point.number + 1, "forged", "links stand behind the checkpoint, and nobody signed for them")
        )
    return Proved(point.number, point.hash, key), faults


def in_order(names: Iterable[str], writer: str) -> Sequence[str]:
    """Return the names of a writer's segments, oldest first."""
    return sorted(name for name in names if is_name(name) and name.partition("/")[0] == writer)


def _gap(head: SegmentHead, after: Proved) -> Fault:
    if head.first > after.last + 1:
        return Fault(after.last + 1, "missing", f"no segment has the links {after.last + 1} to {head.first - 1}")
    if head.first <= after.last:
        return Fault(head.first, "forked", f"the links from {head.first} on are in two segments")
    return Fault(head.first, "forked", "the segment before ends with another hash")


def _number_of(line: bytes) -> int:
    try:
        return int(msgspec.json.decode(line, type=_Numbered).number)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


class _Numbered(msgspec.Struct):
    number: int
