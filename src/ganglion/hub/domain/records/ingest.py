"""What a batch of records means: which are new, what they hold, what they add to the counts. No I/O.

A batch is refused as a whole only when its frame is wrong. What a single record holds never blocks the
others: a payload that cannot be read is `Unreadable`, and the service keeps it as it came.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import InvalidRequest, Rejected, TooLarge
from ganglion.core.ids import parse_name
from ganglion.hub.domain.records import sample_inputs
from ganglion.wire import codec
from ganglion.wire.records import (
    Batch,
    ComparisonRecord,
    Envelope,
    EventRecord,
    RecordClass,
    ResultRecord,
    SampleRecord,
    SummaryRecord,
    is_map,
)

_NUMBER_MAX = 2**63 - 1
"""Databases hold 64 bits with a sign."""
_CLASS_MAX = 255
_SHED_CLASSES_MAX = 64
_SHED_NAME_LENGTH_MAX = 64
_ROWS_MAX = 1_000_000
_REASON_LENGTH_MAX = 200
_MINUTE_NS = 60 * 1_000_000_000


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub takes from a node at once."""

    records_max: int = 10_000
    """Records in one batch; a larger batch is refused with 413."""
    bytes_max: int = 32_000_000
    """Payload bytes in one batch; a larger batch is refused with 413."""
    sample_bytes_max: int = 4_000_000
    """Largest sample that is offered for labelling; a larger one is kept as a record only, and an event tells."""
    disk_free_bytes_min: int = 0
    """No batch is taken while the disk has less room than this; it is refused with 507, and nodes keep it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A payload that is not what its class says, or that this release does not know."""

    reason: str


Content: TypeAlias = ResultRecord | ComparisonRecord | SummaryRecord | EventRecord | SampleRecord | Unreadable | None
"""None: a class of which nothing is shown or counted, like audit."""


def check(batch: Batch, limits: BatchLimits) -> None:
    """Refuse a batch with a wrong frame. Raises: InvalidRequest, InvalidName, TooLarge."""
    parse_name(batch.epoch, what="epoch")
    if not 0 <= batch.sent_at_ns <= _NUMBER_MAX:
        raise InvalidRequest("`sent_at_ns` is no possible time")
    if len(batch.records) > limits.records_max:
        raise TooLarge(f"the batch has {len(batch.records)} records, at most {limits.records_max} are taken")
    size_bytes = sum(len(record.payload) for record in batch.records)
    if size_bytes > limits.bytes_max:
        raise TooLarge(f"the batch has {size_bytes} bytes of payload, at most {limits.bytes_max} are taken")
    before = 0
    for record in batch.records:
        if not before < record.seq <= _NUMBER_MAX:
            raise InvalidRequest(f"records come in ascending order from 1: {record.seq} follows {before}")
        before = record.seq
        if not 0 <= record.at_ns <= _NUMBER_MAX or not 0 <= record.record_class <= _CLASS_MAX:
            raise InvalidRequest(f"record {record.seq} has no possible time or class")
    _check_counts(batch)


def _check_counts(batch: Batch) -> None:
    names = batch.shed
    if len(names) > _SHED_CLASSES_MAX or any(len(name) > _SHED_NAME_LENGTH_MAX for name in names):
        raise InvalidRequest("`shed` names too many classes, or too long ones")
    if not all(0 <= count <= _NUMBER_MAX for count in (batch.made, *batch.shed.values())):
        raise InvalidRequest("`made` and `shed` count records: they are not negative, and fit 64 bits")


def fresh(records: Sequence[Envelope], cursor: int) -> Sequence[Envelope]:
    """Return the records after the cursor; the others are stored already."""
    if not records or records[0].seq > cursor:
        return records
    return [record for record in records if record.seq > cursor]


def last_known(records: Sequence[Envelope], cursor: int) -> Envelope | None:
    """Return the newest record that the hub must have already, or None when all are new."""
    return max((record for record in records if record.seq <= cursor), key=lambda record: record.seq, default=None)


def gaps(new: Sequence[Envelope], cursor: int) -> int:
    """Return how many sequence numbers between the cursor and the last new record did not come."""
    return new[-1].seq - cursor - len(new) if new else 0


def highest(known: Mapping[str, int], said: Mapping[str, int]) -> dict[str, int]:
    """Return the higher count of each class: counts only grow, so the lower one is the older one."""
    return {name: max(known.get(name, 0), said.get(name, 0)) for name in sorted(known.keys() | said.keys())}


def kept_payload(record: Envelope, content: Content) -> bytes:
    """Return what the record's row holds: of a sample, whose input has a row of its own, the digest only."""
    return sample_digest(record.payload) if isinstance(content, SampleRecord) else record.payload


def sample_digest(payload: bytes) -> bytes:
    """Return what stands for a sample's payload, so that another one under the same number is told from it."""
    return hashlib.sha256(payload).digest()


def is_same(record: Envelope, at_ns: int, kept: bytes) -> bool:
    """Say whether a record that comes again is the stored one, whose row has that time and holds `kept`."""
    if record.at_ns != at_ns:
        return False
    return record.payload == kept or (
        record.record_class == RecordClass.SAMPLE and sample_digest(record.payload) == kept
    )


def read(record: Envelope, limits: BatchLimits) -> Content:
    """Return what the record holds."""
    try:
        return _read(record, limits)
    except Rejected as error:
        return Unreadable(error.message[:_REASON_LENGTH_MAX])


def _read(record: Envelope, limits: BatchLimits) -> Content:
    match record.record_class:
        case RecordClass.RESULT:
            return _checked_result(codec.decode_packed(record.payload, ResultRecord))
        case RecordClass.SUMMARY:
            return _counts_in(record.payload)
        case RecordClass.EVENT:
            return codec.decode_packed(record.payload, EventRecord)
        case RecordClass.SAMPLE:
            return _checked_sample(record.payload, limits)
        case RecordClass.AUDIT:
            return None
        case _:
            return Unreadable(f"this hub does not know records of class {record.record_class}")


def _checked_result(result: ResultRecord) -> ResultRecord:
    _check_version(result.model, result.version)
    if len(result.labels) != len(result.confidences):
        raise InvalidRequest(f"{len(result.labels)} labels with {len(result.confidences)} confidences")
    return result


def _counts_in(payload: bytes) -> ComparisonRecord | SummaryRecord:
    if is_map(payload):
        return _checked_summary(codec.decode_packed(payload, SummaryRecord))
    return _checked_comparison(codec.decode_packed(payload, ComparisonRecord))


def _checked_comparison(comparison: ComparisonRecord) -> ComparisonRecord:
    _check_version(comparison.model, comparison.version)
    if not 0 <= comparison.agreed <= comparison.compared <= _ROWS_MAX:
        raise InvalidRequest(f"{comparison.agreed} of {comparison.compared} compared rows cannot have agreed")
    if len(comparison.confidences) > _ROWS_MAX:
        raise InvalidRequest(f"{len(comparison.confidences)} confidences are more rows than an answer has")
    return comparison


def _checked_summary(summary: SummaryRecord) -> SummaryRecord:
    _check_version(summary.model, summary.version)
    summary.behaviour.check()
    return summary


def _checked_sample(payload: bytes, limits: BatchLimits) -> SampleRecord:
    if len(payload) > limits.sample_bytes_max:
        raise TooLarge(f"the sample has {len(payload)} bytes, at most {limits.sample_bytes_max} are shown")
    sample = codec.decode_packed(payload, SampleRecord)
    _check_version(sample.model, sample.version)
    sample_inputs.check(sample.inputs)
    return sample


@functools.lru_cache(maxsize=1024)
def _check_version(model: str, version: str) -> None:
    parse_name(model, what="model")
    parse_name(version, what="version")


@dataclass(frozen=True, slots=True)
class Minute:
    """Counts are added up per model version and minute of event time."""

    model: str
    version: str
    minute: int


@dataclass(slots=True)
class Tally:
    """What some records add to the counts."""

    behaviours: dict[Minute, Behaviour] = field(default_factory=dict)

    def count(self, content: ComparisonRecord | SummaryRecord, at_ns: int, shift_ns: int) -> None:
        """Count one comparison or summary at its corrected event time.

        A summary of many minutes counts in the first of them, shifted by what the record's own time was shifted.
        """
        match content:
            case ComparisonRecord():
                behaviour = self._of(content.model, content.version, at_ns // _MINUTE_NS)
                behaviour.count_comparison(content.compared, content.agreed, content.latency_us)
                behaviour.count_heard(content.confidences)
            case SummaryRecord():
                began_ns = max(0, content.began_ns + shift_ns)
                self._of(content.model, content.version, began_ns // _MINUTE_NS).merge(content.behaviour)
            case _:
                assert_never(content)

    def count_results(self, model: str, version: str, minute: int, results: Sequence[ResultRecord]) -> None:
        """Count the results of one version in one minute, all at once: there may be thousands."""
        behaviour = self._of(model, version, minute)
        answered = [result for result in results if not result.error]
        for _ in range(len(results) - len(answered)):
            behaviour.count_error()
        behaviour.count_answers(
            [result.latency_us for result in answered],
            [label for result in answered for label in result.labels],
            [confidence for result in answered for confidence in result.confidences],
        )

    def _of(self, model: str, version: str, minute: int) -> Behaviour:
        return self.behaviours.setdefault(Minute(model, version, minute), Behaviour())


def tally(contents: Iterable[tuple[Content, int, int]]) -> Tally:
    """Return the counts of all that counts among triples of content, corrected event time, and by what it shifted."""
    counts = Tally()
    results: dict[tuple[str, str, int], list[ResultRecord]] = {}
    for content, at_ns, shift_ns in contents:
        if isinstance(content, ResultRecord):
            key = (content.model, content.version, at_ns // _MINUTE_NS)
            found = results.get(key)
            if found is None:
                results[key] = found = []
            found.append(content)
        elif isinstance(content, ComparisonRecord | SummaryRecord):
            counts.count(content, at_ns, shift_ns)
    for key, found in results.items():
        counts.count_results(*key, found)
    return counts
