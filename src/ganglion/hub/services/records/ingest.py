"""Storing what nodes send, each record once, in one transaction per batch of the telemetry database only.

The cursor of (node, epoch) moves in the transaction that adds the records and their counts: after a
crash either all of it is there or none, and a batch that comes again meets a cursor that knows it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from ganglion.core.errors import DiskUnusable, EpochTaken
from ganglion.hub.domain.records import clock_error, ingest, sample_inputs
from ganglion.hub.domain.records.ingest import BatchLimits, Content, Unreadable
from ganglion.ports.clock import Clock
from ganglion.ports.telemetry_store import (
    CursorRow,
    EventRow,
    RecordRow,
    RollupKey,
    SampleRow,
    TelemetryStore,
    TelemetryTransaction,
)
from ganglion.wire.records import Ack, Batch, Envelope, EventRecord, RecordClass, SampleRecord

UNREADABLE_EVENT = "ingest.undecodable"
_AGEING_TOGETHER = (RecordClass.RESULT, RecordClass.EVENT, RecordClass.SUMMARY, RecordClass.SAMPLE)

log = structlog.get_logger()


class Ingest:
    """Takes batches in. Safe to use from many threads: the store has one writer at a time."""

    def __init__(
        self,
        *,
        telemetry: TelemetryStore,
        clock: Clock,
        limits: BatchLimits | None = None,
        free_bytes: Callable[[], int] | None = None,
        joined: Callable[[str, Batch], Batch] | None = None,
    ) -> None:
        """`joined` puts the samples of a node's batch together, whose inputs came before it."""
        self._telemetry = telemetry
        self._clock = clock
        self._limits = limits or BatchLimits()
        self._free_bytes = free_bytes
        self._joined = joined

    def store(self, node_id: str, batch: Batch) -> Ack:
        """Store what is new; when this returns, everything up to the cursor survives a power cut.

        Raises: InvalidRequest, InvalidName, TooLarge, EpochTaken, ContentMissing: nothing was stored. DiskUnusable.
        """
        ingest.check(batch, self._limits)
        self._check_room()
        if self._joined is not None:
            batch = self._joined(node_id, batch)
            ingest.check(batch, self._limits)
        with self._telemetry.write() as tx:
            known = tx.cursor(node_id, batch.epoch) or CursorRow(node_id, batch.epoch, seq=0)
            _check_same_sender(tx, known, batch)
            new = ingest.fresh(batch.records, known.seq)
            received_at_ns = self._clock.utc_ns()
            self._add(tx, known, _arrived(batch, new, received_at_ns))
            cursor = _advanced(known, batch, new, received_at_ns)
            if cursor != known:
                tx.put_cursor(cursor)
        return Ack(epoch=batch.epoch, cursor=cursor.seq)

    def _check_room(self) -> None:
        """Leave the last of the disk to decisions: with none of it, no rollout could be stopped any more."""
        free_bytes, wanted = self._free_bytes() if self._free_bytes else None, self._limits.disk_free_bytes_min
        if free_bytes is not None and free_bytes < wanted:
            raise DiskUnusable(f"the hub's disk has {free_bytes} bytes left and keeps {wanted}: nothing was stored")

    def _add(self, tx: TelemetryTransaction, source: CursorRow, new: "_Arrived") -> None:
        """Add the records, their counts, and what people look at."""
        contents = [ingest.read(record, self._limits) for record in new.records]
        tx.add_records(_record_rows(source, new, contents))
        shifts_ns = (at_ns - record.at_ns for at_ns, record in zip(new.times_ns, new.records, strict=True))
        for key, behaviour in ingest.tally(zip(contents, new.times_ns, shifts_ns, strict=True)).behaviours.items():
            tx.merge_rollup(RollupKey(source.node_id, key.model, key.version, key.minute), behaviour)
        _add_findings(tx, source, zip(new.records, contents, new.times_ns, strict=True))


@dataclass(frozen=True, slots=True)
class _Arrived:
    """New records with their corrected times, and when they came."""

    records: Sequence[Envelope]
    times_ns: Sequence[int]
    received_at_ns: int


def _arrived(batch: Batch, new: Sequence[Envelope], received_at_ns: int) -> _Arrived:
    times_ns = clock_error.corrected(
        [record.at_ns for record in new], sent_at_ns=batch.sent_at_ns, received_at_ns=received_at_ns
    )
    return _Arrived(new, times_ns, received_at_ns)


def _check_same_sender(tx: TelemetryTransaction, known: CursorRow, batch: Batch) -> None:
    """Compare the newest record that came before with the stored one: a node's copy has others under the same number.

    Raises: EpochTaken.
    """
    record = ingest.last_known(batch.records, known.seq)
    if record is None:
        return
    stored = tx.record(known.node_id, known.epoch, record.seq)
    is_other = stored is not None and not ingest.is_same(record, stored.at_ns, stored.payload)
    if is_other or (stored is None and _never_came(tx, known, record)):
        log.warning("node.copied", node_id=known.node_id, epoch=known.epoch, seq=record.seq)
        raise EpochTaken(f"record {record.seq} of epoch {known.epoch} is another one: two nodes use one identity")


def _never_came(tx: TelemetryTransaction, known: CursorRow, record: Envelope) -> bool:
    """Say whether the hub has skipped this number: its owner gave that record up, so whoever has one is another.

    Records leave because of their age in the order in which they came: with an older one here, it is no such record.
    """
    classes = (RecordClass.AUDIT,) if record.record_class == RecordClass.AUDIT else _AGEING_TOGETHER
    return any(
        first.epoch == known.epoch and first.seq < record.seq
        for each in classes
        for first in tx.records(node_id=known.node_id, record_class=each, after=(known.epoch, 0), limit=1)
    )


def _add_findings(tx: TelemetryTransaction, source: CursorRow, found: Iterable[tuple[Envelope, Content, int]]) -> None:
    events: list[EventRow] = []
    samples: list[SampleRow] = []
    unreadable = 0
    for record, content, at_ns in found:
        match content:
            case EventRecord():
                events.append(_event_row(source, record, content, at_ns))
            case SampleRecord():
                samples.append(_sample_row(source, record, content, at_ns))
            case Unreadable():
                unreadable += 1
                events.append(_event_row(source, record, _told(record, content), at_ns))
            case _:
                continue
    if unreadable:
        log.warning("batch.partly_undecodable", node_id=source.node_id, epoch=source.epoch, records=unreadable)
    tx.add_events(events)
    tx.add_samples(samples)


def _advanced(known: CursorRow, batch: Batch, new: Sequence[Envelope], received_at_ns: int) -> CursorRow:
    """Return the cursor behind the new records. What the node counts only grows, whatever order batches come in."""
    error_ns = clock_error.estimate(sent_at_ns=batch.sent_at_ns, received_at_ns=received_at_ns)
    shed = ingest.highest(msgspec.json.decode(known.shed, type=dict[str, int]), batch.shed)
    return CursorRow(
        node_id=known.node_id,
        epoch=known.epoch,
        seq=new[-1].seq if new else known.seq,
        made=max(known.made, batch.made),
        shed=msgspec.json.encode(shed),
        gaps=known.gaps + ingest.gaps(new, known.seq),
        clock_error_ns=error_ns if new else known.clock_error_ns,
    )


def _record_rows(source: CursorRow, new: _Arrived, contents: Sequence[Content]) -> list[RecordRow]:
    node_id, epoch, received_at_ns = source.node_id, source.epoch, new.received_at_ns
    # By position: at thirty thousand rows a second, names cost as much as the row.
    return [
        RecordRow(
            node_id,
            epoch,
            each.seq,
            each.record_class,
            each.at_ns,
            received_at_ns,
            each.payload if each.record_class != RecordClass.SAMPLE else ingest.kept_payload(each, content),
            at_ns,
        )
        for each, content, at_ns in zip(new.records, contents, new.times_ns, strict=True)
    ]


def _told(record: Envelope, content: Unreadable) -> EventRecord:
    """Return the event that tells people about a payload that could not be read."""
    return EventRecord(UNREADABLE_EVENT, reason=content.reason, facts={"record_class": str(record.record_class)})


def _event_row(source: CursorRow, record: Envelope, event: EventRecord, at_ns: int) -> EventRow:
    return EventRow(
        node_id=source.node_id,
        epoch=source.epoch,
        seq=record.seq,
        at_ns=record.at_ns,
        name=event.name,
        model=event.model,
        version=event.version,
        rollout_id=event.rollout_id,
        reason=event.reason,
        facts=msgspec.json.encode(event.facts),
        corrected_at_ns=at_ns,
    )


def _sample_row(source: CursorRow, record: Envelope, sample: SampleRecord, at_ns: int) -> SampleRow:
    return SampleRow(
        sample_id=f"{source.node_id}-{source.epoch}-{record.seq}",
        node_id=source.node_id,
        at_ns=record.at_ns,
        model=sample.model,
        version=sample.version,
        request_id=sample.request_id,
        reason=sample.reason,
        label=sample.label,
        # Neither SQL nor JSON knows NaN, and no confidence is meant by it.
        confidence=sample.confidence if math.isfinite(sample.confidence) else 0.0,
        inputs=sample_inputs.pack(sample.inputs),
        corrected_at_ns=at_ns,
    )
