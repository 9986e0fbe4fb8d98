"""What the hub keeps of what nodes report: records, rollups, samples. A file apart from the control database."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ganglion.core.behaviour import Behaviour


@dataclass(frozen=True, slots=True)
class CursorRow:
    """Up to where a node's epoch is stored, and what the node said it made and shed. `shed` is JSON by class name."""

    node_id: str
    epoch: str
    seq: int
    made: int = 0
    shed: bytes = b"{}"
    gaps: int = 0
    """Sequence numbers below `seq` that never came: records the node had shed."""
    clock_error_ns: int = 0
    """How far the node's clock was ahead of the hub's when its newest records left."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One stored record; `payload` is as the node made it."""

    node_id: str
    epoch: str
    seq: int
    record_class: int
    at_ns: int
    received_at_ns: int
    payload: bytes
    corrected_at_ns: int
    """Event time by the hub's clock; `at_ns` is what the node's clock showed."""


@dataclass(frozen=True, slots=True)
class RollupKey:
    """Behaviour is added up per node, model version and minute (of corrected event time, since 1970)."""

    node_id: str
    model: str
    version: str
    minute: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event for people; `facts` is JSON."""

    node_id: str
    epoch: str
    seq: int
    at_ns: int
    name: str
    model: str
    version: str
    rollout_id: str
    reason: str
    facts: bytes
    corrected_at_ns: int


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A kept input; `inputs` is the msgpack of its tensors. The id is NODE-EPOCH-SEQ, so it is stored once."""

    sample_id: str
    node_id: str
    at_ns: int
    model: str
    version: str
    request_id: str
    reason: str
    label: str
    confidence: float
    inputs: bytes
    corrected_at_ns: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What a version said of a kept input, without the input."""

    sample_id: str
    node_id: str
    version: str
    label: str
    corrected_at_ns: int


class TelemetryTransaction(Protocol):
    """Reads and writes of one transaction on the telemetry database."""

    def cursor(self, node_id: str, epoch: str) -> CursorRow | None: ...
    def put_cursor(self, row: CursorRow) -> None: ...
    def cursors(self, node_id: str | None = None) -> Sequence[CursorRow]:
        """Return cursors by node and epoch."""
        ...

    def records_stored(self) -> int:
        """Return how many records of all nodes were ever stored."""
        ...

    def cursors_of(self, node_ids: Sequence[str]) -> Sequence[CursorRow]:
        """Return the cursors of these nodes, by node and epoch."""
        ...

    def add_records(self, rows: Sequence[RecordRow]) -> None: ...
    def records(self, *, node_id: str, record_class: int, after: tuple[str, int], limit: int) -> Sequence[RecordRow]:
        """Return records of a node by (epoch, seq), beginning after the pair given."""
        ...

    def record(self, node_id: str, epoch: str, seq: int) -> RecordRow | None:
        """Return the record with this number, of whatever class."""
        ...

    def merge_rollup(self, key: RollupKey, behaviour: Behaviour) -> None:
        """Add these counts to what is stored under `key`."""
        ...

    def behaviour(
        self, *, node_ids: Sequence[str], model: str, version: str, since_minute: int, until_minute: int | None = None
    ) -> dict[str, Behaviour]:
        """Return the merged counts of each node that has any, from `since_minute` on and before `until_minute`.

        What was folded counts when its whole hour lies in that time.
        """
        ...

    def add_events(self, rows: Sequence[EventRow]) -> None:
        """Add events; one that is there stays as it is."""
        ...

    def events(
        self, *, node_id: str | None = None, rollout_id: str | None = None, limit: int = 100
    ) -> Sequence[EventRow]:
        """Return events, newest first by corrected time; of one moment, by node, epoch and seq, the highest first."""
        ...

    def events_since(self, rollout_id: str, number: int, *, limit: int | None = None) -> tuple[Sequence[EventRow], int]:
        """Return the events of a rollout that were added after the one with that number, and the newest's number.

        With `limit` so many at most, those with the lowest numbers. The number of the newest removed one may be given
        anew. 0 asks for all.
        """
        ...

    def events_by_node(self, name: str, *, since_ns: int, model: str | None = None) -> dict[str, int]:
        """Return how many events of this name each node told since that corrected time, of those that told any."""
        ...

    def add_samples(self, rows: Sequence[SampleRow]) -> None:
        """Add samples; one that is there stays as it is."""
        ...

    def samples(
        self,
        *,
        model: str | None = None,
        node_id: str | None = None,
        sample_ids: Sequence[str] | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
        bytes_max: int | None = None,
    ) -> Sequence[SampleRow]:
        """Return samples by (corrected_at_ns, sample_id), newest first, older than the pair `before` when given.

        With `bytes_max` it stops before the inputs are more than that, but not before the first sample.
        """
        ...

    def answers(self, sample_ids: Sequence[str], *, model: str, reason: str, since_ns: int) -> Sequence[AnswerRow]:
        """Return what was said of those of these samples that were kept for this reason since then, by id."""
        ...

    def used_bytes(self) -> int:
        """Return how many bytes everything takes."""
        ...

    def remove_records(self, *, received_before_ns: int | None, limit: int) -> int:
        """Remove the records that came first, if they came before that time; with None, whenever they came.

        Audit records stay.
        """
        ...

    def remove_audit_records(self, *, received_before_ns: int, limit: int) -> int:
        """Remove the audit records that came first, if they came before that time."""
        ...

    def remove_events(self, *, before_ns: int, limit: int) -> int:
        """Remove the oldest events from before that corrected time."""
        ...

    def oldest_samples(
        self, *, before_ns: int, after: tuple[int, str] | None = None, limit: int
    ) -> Sequence[tuple[int, str]]:
        """Return (corrected_at_ns, sample_id) of the samples from before that time, oldest first, behind `after`."""
        ...

    def remove_samples(self, sample_ids: Sequence[str]) -> int:
        """Remove these samples, and return how many there were."""
        ...

    def fold_rollups(self, *, before_minute: int, limit: int) -> int:
        """Add the oldest minutes from before that minute to their hours, and return how many minutes that were."""
        ...

    def remove_rollup_hours(self, *, before_hour: int, limit: int) -> int:
        """Remove the oldest hours from before that hour, counted since 1970."""
        ...


class TelemetryStore(Protocol):
    """The telemetry database."""

    def read(self) -> AbstractContextManager[TelemetryTransaction]: ...
    def write(self) -> AbstractContextManager[TelemetryTransaction]:
        """Open the one writing transaction; others wait. Raises: DiskUnusable."""
        ...
