"""What a transaction on the in-memory telemetry database can do; `ports.telemetry_store` says what each promises."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import Conflict
from ganglion.ports.telemetry_store import AnswerRow, CursorRow, EventRow, RecordRow, RollupKey, SampleRow
from ganglion.wire.records import RecordClass

_HOUR_MINUTES = 60
RecordKey = tuple[str, str, int]
"""Node, epoch, seq: what names a record for ever."""


@dataclass(slots=True)
class TelemetryTables:
    """Rows by key, in the order in which they were added."""

    cursors: dict[tuple[str, str], CursorRow] = field(default_factory=dict)
    records: dict[RecordKey, RecordRow] = field(default_factory=dict)
    rollups: dict[RollupKey, Behaviour] = field(default_factory=dict)
    hours: dict[RollupKey, Behaviour] = field(default_factory=dict)
    """By the first minute of each hour."""
    events: dict[RecordKey, EventRow] = field(default_factory=dict)
    event_numbers: dict[RecordKey, int] = field(default_factory=dict)
    samples: dict[str, SampleRow] = field(default_factory=dict)


class MemoryTelemetryTransaction:
    """Reads and writes of one transaction."""

    def __init__(self, tables: TelemetryTables) -> None:
        self._tables = tables

    def cursor(self, node_id: str, epoch: str) -> CursorRow | None:
        return self._tables.cursors.get((node_id, epoch))

    def put_cursor(self, row: CursorRow) -> None:
        self._tables.cursors[row.node_id, row.epoch] = row

    def cursors(self, node_id: str | None = None) -> Sequence[CursorRow]:
        return [row for _, row in sorted(self._tables.cursors.items()) if node_id in {None, row.node_id}]

    def records_stored(self) -> int:
        return sum(row.seq - row.gaps for row in self.cursors())

    def cursors_of(self, node_ids: Sequence[str]) -> Sequence[CursorRow]:
        wanted = set(node_ids)
        return [row for row in self.cursors() if row.node_id in wanted]

    def add_records(self, rows: Sequence[RecordRow]) -> None:
        for row in rows:
            key = row.node_id, row.epoch, row.seq
            if key in self._tables.records:
                raise Conflict(f"the record {key} is stored already")
            self._tables.records[key] = row

    def records(self, *, node_id: str, record_class: int, after: tuple[str, int], limit: int) -> Sequence[RecordRow]:
        rows = [
            row
            for row in self._tables.records.values()
            if (row.node_id, row.record_class) == (node_id, record_class) and (row.epoch, row.seq) > after
        ]
        return sorted(rows, key=lambda row: (row.epoch, row.seq))[:limit]

    def record(self, node_id: str, epoch: str, seq: int) -> RecordRow | None:
        return self._tables.records.get((node_id, epoch, seq))

    def merge_rollup(self, key: RollupKey, behaviour: Behaviour) -> None:
        merged = Behaviour()
        merged.merge(self._tables.rollups.get(key, Behaviour()))
        merged.merge(behaviour)
        self._tables.rollups[key] = merged

    def behaviour(
        self, *, node_ids: Sequence[str], model: str, version: str, since_minute: int, until_minute: int | None = None
    ) -> dict[str, Behaviour]:
        merged: dict[str, Behaviour] = {}
        for key, behaviour in self._tables.rollups.items():
            wanted = key.node_id in node_ids and (key.model, key.version) == (model, version)
            if wanted and since_minute <= key.minute and (until_minute is None or key.minute < until_minute):
                merged.setdefault(key.node_id, Behaviour()).merge(behaviour)
        for key, behaviour in self._tables.hours.items():
            wanted = key.node_id in node_ids and (key.model, key.version) == (model, version)
            ends = key.minute + _HOUR_MINUTES
            if wanted and since_minute <= key.minute and (until_minute is None or ends <= until_minute):
                merged.setdefault(key.node_id, Behaviour()).merge(behaviour)
        return merged

    def add_events(self, rows: Sequence[EventRow]) -> None:
        for row in rows:
            key, numbers = (row.node_id, row.epoch, row.seq), self._tables.event_numbers
            if key not in self._tables.events:
                self._tables.events[key], numbers[key] = row, next(reversed(numbers.values()), 0) + 1

    def events(
        self, *, node_id: str | None = None, rollout_id: str | None = None, limit: int = 100
    ) -> Sequence[EventRow]:
        rows = [
            row
            for row in self._tables.events.values()
            if node_id in {None, row.node_id} and rollout_id in {None, row.rollout_id}
        ]
        return sorted(rows, key=lambda row: (row.corrected_at_ns, row.node_id, row.epoch, row.seq), reverse=True)[
            :limit
        ]

    def events_since(self, rollout_id: str, number: int, *, limit: int | None = None) -> tuple[Sequence[EventRow], int]:
        numbers = self._tables.event_numbers
        found = sorted(
            (numbers[key], key)
            for key, row in self._tables.events.items()
            if rollout_id and row.rollout_id == rollout_id and numbers[key] > number
        )[:limit]
        return [self._tables.events[key] for _, key in found], found[-1][0] if found else number

    def events_by_node(self, name: str, *, since_ns: int, model: str | None = None) -> dict[str, int]:
        return dict(
            Counter(
                row.node_id
                for row in self._tables.events.values()
                if row.name == name and row.corrected_at_ns >= since_ns and model in {None, row.model}
            )
        )

    def add_samples(self, rows: Sequence[SampleRow]) -> None:
        for row in rows:
            self._tables.samples.setdefault(row.sample_id, row)

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
        rows = [
            row
            for row in self._tables.samples.values()
            if model in {None, row.model}
            and node_id in {None, row.node_id}
            and (sample_ids is None or row.sample_id in sample_ids)
            and (before is None or (row.corrected_at_ns, row.sample_id) < before)
        ]
        found = sorted(rows, key=lambda row: (row.corrected_at_ns, row.sample_id), reverse=True)[:limit]
        return found if bytes_max is None or sample_ids is not None else _up_to(found, bytes_max)

    def answers(self, sample_ids: Sequence[str], *, model: str, reason: str, since_ns: int) -> Sequence[AnswerRow]:
        wanted = set(sample_ids)
        found = [row for sample_id, row in sorted(self._tables.samples.items()) if sample_id in wanted]
        return [
            AnswerRow(row.sample_id, row.node_id, row.version, row.label, row.corrected_at_ns)
            for row in found
            if (row.model, row.reason) == (model, reason) and row.corrected_at_ns >= since_ns
        ]

    def used_bytes(self) -> int:
        records, samples = self._tables.records.values(), self._tables.samples.values()
        return sum(len(row.payload) for row in records) + sum(len(row.inputs) for row in samples)

    def remove_records(self, *, received_before_ns: int | None, limit: int) -> int:
        others = [row for row in self._tables.records.values() if row.record_class != RecordClass.AUDIT]
        return self._remove_first(others[:limit], received_before_ns)

    def remove_audit_records(self, *, received_before_ns: int, limit: int) -> int:
        audit = [row for row in self._tables.records.values() if row.record_class == RecordClass.AUDIT]
        return self._remove_first(audit[:limit], received_before_ns)

    def _remove_first(self, oldest: Sequence[RecordRow], received_before_ns: int | None) -> int:
        gone = [row for row in oldest if received_before_ns is None or row.received_at_ns < received_before_ns]
        for row in gone:
            del self._tables.records[row.node_id, row.epoch, row.seq]
        return len(gone)

    def remove_events(self, *, before_ns: int, limit: int) -> int:
        old = [
            (row.corrected_at_ns, key) for key, row in self._tables.events.items() if row.corrected_at_ns < before_ns
        ]
        for _, key in sorted(old)[:limit]:
            del self._tables.events[key], self._tables.event_numbers[key]
        return len(old[:limit])

    def oldest_samples(
        self, *, before_ns: int, after: tuple[int, str] | None = None, limit: int
    ) -> Sequence[tuple[int, str]]:
        places = ((row.corrected_at_ns, row.sample_id) for row in self._tables.samples.values())
        return sorted(place for place in places if place[0] < before_ns and (after is None or place > after))[:limit]

    def remove_samples(self, sample_ids: Sequence[str]) -> int:
        return sum(self._tables.samples.pop(sample_id, None) is not None for sample_id in sample_ids)

    def fold_rollups(self, *, before_minute: int, limit: int) -> int:
        old = sorted((key for key in self._tables.rollups if key.minute < before_minute), key=lambda key: key.minute)
        for key in old[:limit]:
            hour = replace(key, minute=key.minute - key.minute % _HOUR_MINUTES)
            merged = Behaviour()
            merged.merge(self._tables.hours.get(hour, Behaviour()))
            merged.merge(self._tables.rollups.pop(key))
            self._tables.hours[hour] = merged
        return len(old[:limit])

    def remove_rollup_hours(self, *, before_hour: int, limit: int) -> int:
        old = sorted(
            ((key.minute, key) for key in self._tables.hours if key.minute < before_hour * _HOUR_MINUTES),
            key=lambda each: each[0],
        )
        for _, key in old[:limit]:
            del self._tables.hours[key]
        return len(old[:limit])


def _up_to(rows: Sequence[SampleRow], bytes_max: int) -> list[SampleRow]:
    sizes = itertools.accumulate(len(row.inputs) for row in rows)
    return [row for index, (row, size) in enumerate(zip(rows, sizes, strict=True)) if not index or size <= bytes_max]
