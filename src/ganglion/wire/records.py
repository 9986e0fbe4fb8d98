"""What nodes keep of their work and send up, in batches that are deduplicated by (node, epoch, seq)."""

from enum import IntEnum

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.wire.schema import SCHEMA


class RecordClass(IntEnum):
    """Kinds of records, in the order in which a full outbox keeps them: the lowest number is shed last."""

    AUDIT = 0
    EVENT = 1
    RESULT = 2
    SUMMARY = 3
    SAMPLE = 4


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One record on its way: `payload` is the msgpack of the struct that belongs to `record_class`."""

    seq: int
    record_class: int
    at_ns: int
    """Event time: wall clock of the node, UTC, nanoseconds since 1970."""
    payload: bytes


class Batch(msgspec.Struct, frozen=True):
    """Records in ascending order of `seq`; gaps are records that were shed, counted in `shed`."""

    id: str
    sent_at_ns: int
    epoch: str
    records: tuple[Envelope, ...]
    shed: dict[str, int] = {}
    """Records given up so far in this epoch, by class name: cumulative."""
    made: int = 0
    schema: int = SCHEMA


class Ack(msgspec.Struct, frozen=True):
    """Everything up to `cursor` is stored and will never be asked for again."""

    epoch: str
    cursor: int


class ResultRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One answered (or failed) request."""

    request_id: str
    model: str
    version: str
    latency_us: int
    """What the version itself took, steps and engine; waiting for its turn is not in it."""
    labels: tuple[str, ...]
    """One per row; empty when the manifest declares no prediction."""
    confidences: tuple[float, ...]
    error: str = ""
    """An error code when the model failed to answer; a malformed request is not recorded."""


class ComparisonRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The previous version answered a live request too, after the client had its answer. Class SUMMARY.

    The result of the same request is a `ResultRecord` of its own, journaled before the answer; this record
    follows it, or is missing. It counts with `Behaviour.count_comparison(compared, agreed, latency_us)` for `version`.
    """

    request_id: str
    model: str
    version: str
    """The version that answered the client, and whose behaviour this belongs to."""
    compared_with: str
    """The version that was asked for comparison."""
    compared: int
    """Rows that both versions answered, and of these …"""
    agreed: int
    """… the rows on which both gave the same label. Without labels: one answer, of the same form."""
    latency_us: int
    """How long `compared_with` took."""
    confidences: tuple[float, ...] = ()
    """How sure `compared_with` was of each row; empty when its manifest declares no prediction."""


class SummaryRecord(msgspec.Struct, frozen=True):
    """What a model version did in some minutes, in counts that add up. Class SUMMARY.

    It holds the requests whose results and comparisons are not sent one by one, and only those: the hub adds its counts
    to those of the records that it was sent. A map, where a `ComparisonRecord` is an array: this tells them apart.
    """

    model: str
    version: str
    began_ns: int
    """Event time of the first minute's beginning, and of the last one's …"""
    ended_ns: int
    """… end."""
    behaviour: Behaviour
    machine: dict[str, float] = {}
    """Figures of the machine at the end, with their unit in their name: cpu_share, memory_bytes, temperature_c …"""


def is_map(payload: bytes) -> bool:
    """Tell whether msgpack begins with a map: of class SUMMARY, that is a `SummaryRecord`."""
    return payload[:1] in _MAP_MARKS


_MAP_MARKS = frozenset(bytes([mark]) for mark in (*range(0x80, 0x90), 0xDE, 0xDF))


KNOWN_HERE = "known_here"
"""Key among an update event's facts: the node had committed the version before, so it did not try it out."""


class EventRecord(msgspec.Struct, frozen=True):
    """Something a person may want to read: updates, restarts, refusals."""

    name: str
    """Dotted, past tense: update.committed."""
    model: str = ""
    version: str = ""
    rollout_id: str = ""
    reason: str = ""
    facts: dict[str, str] = {}


class SampleRecord(msgspec.Struct, frozen=True):
    """An input that is worth looking at, with what the model said and why it was kept."""

    model: str
    version: str
    request_id: str
    reason: str
    """low_confidence, small_margin, out_of_distribution, disagreement, trigger_rule, random or requested."""
    label: str
    confidence: float
    inputs: dict[str, "SampleTensor"]
    """One row of each input tensor."""


class SampleTensor(msgspec.Struct, frozen=True, array_like=True):
    """One row of a tensor: Open Inference Protocol datatype, shape with a batch of 1, little-endian bytes."""

    datatype: str
    shape: tuple[int, ...]
    data: bytes


class SampleByContent(msgspec.Struct, frozen=True, array_like=True):
    """A `SampleRecord` whose inputs were handed over before, by content. Class SAMPLE.

    Its payload is `before`, then the inputs, then `after`. An array, where a `SampleRecord` is a map: this tells them
    apart.
    """

    sha256: str
    """Digest of the inputs' msgpack in one zstd frame, as they were handed over."""
    size_bytes: int
    """Size of the whole payload, put together."""
    before: bytes
    after: bytes


class ContentHeld(msgspec.Struct, frozen=True):
    """How much of a sample's content the hub has: the node goes on there."""

    held_bytes: int
    is_complete: bool = False
    """All of it is there, was checked, and outlives a power cut."""
