"""How long the hub keeps what nodes sent: by age, and by bytes when age alone is not enough.

Every step is a short transaction of its own, so that a batch of records waits for one step at most. A sample that
somebody labelled stays: data sets are made of it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore

log = structlog.get_logger()

_DAY_S = 86_400.0
_AGE, _BYTES = "age", "bytes"
_NS = 1_000_000_000


class RetentionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long each kind is kept; 0 days: for ever."""

    records_days: float = 90.0
    """Records as they came, one by one: results, comparisons, summaries."""
    audit_days: float = 184.0
    """Audit records of nodes, whose chains are proved from the first one that is here; `bytes_max` does not touch them.
    """
    minutes_days: float = 14.0
    """Counts by the minute; older ones are added up to hours."""
    hours_days: float = 800.0
    """Counts by the hour."""
    events_days: float = 400.0
    """Events."""
    samples_days: float = 180.0
    """Samples that nobody labelled."""
    bytes_max: int = 50_000_000_000
    """What all of it may take; beyond, the oldest records go, whatever their age, then samples. 0: anything."""
    step_rows_max: int = 1000
    """Rows that one step removes at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How far retention has come."""

    used_bytes: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    """Rows removed since the hub started, by kind."""
    looked_at_s: float | None = None


class Retention:
    """Removes what is too old or too much. One thread calls `step`; any thread reads `kept`."""

    def __init__(
        self, *, control: ControlStore, telemetry: TelemetryStore, clock: Clock, limits: RetentionLimits | None = None
    ) -> None:
        self._control, self._telemetry, self._clock = control, telemetry, clock
        self._limits = limits or RetentionLimits()
        self._removed: Counter[str] = Counter()
        self._kept = Kept()
        self._after: dict[str, tuple[int, str] | None] = {_AGE: None, _BYTES: None}
        """By why: the sample that was looked at last. Labelled ones stay, and are not looked at again in this sweep."""

    @property
    def kept(self) -> Kept:
        """How far it has come."""
        return self._kept

    def step(self) -> bool:
        """Remove a bounded number of rows of each kind; True while there may be more. Raises: DiskUnusable."""
        now_s = utc_s(self._clock)
        gone = Counter(
            records=self._remove_records(now_s),
            audit_records=self._remove_audit_records(now_s),
            minutes=self._fold(now_s),
            hours=self._remove_hours(now_s),
            events=self._remove_events(now_s),
        )
        self._remove_samples(now_s, gone)
        gone["over_bytes"] = self._remove_over_bytes()
        self._removed.update(gone)
        with self._telemetry.read() as tx:
            used_bytes = tx.used_bytes()
        self._kept = Kept(used_bytes=used_bytes, removed=dict(+self._removed), looked_at_s=now_s)
        if gone.total():
            log.info("telemetry.aged", **+gone)
        is_unfinished = any(self._after.values()) or gone["over_bytes"] > 0
        return is_unfinished or max(gone.values()) >= self._limits.step_rows_max

    def _remove_records(self, now_s: float) -> int:
        before_s = _before(now_s, self._limits.records_days)
        if before_s is None:
            return 0
        with self._telemetry.write() as tx:
            return tx.remove_records(received_before_ns=int(before_s * _NS), limit=self._limits.step_rows_max)

    def _remove_audit_records(self, now_s: float) -> int:
        before_s = _before(now_s, self._limits.audit_days)
        if before_s is None:
            return 0
        with self._telemetry.write() as tx:
            return tx.remove_audit_records(received_before_ns=int(before_s * _NS), limit=self._limits.step_rows_max)

    def _fold(self, now_s: float) -> int:
        before_s = _before(now_s, self._limits.minutes_days)
        if before_s is None:
            return 0
        with self._telemetry.write() as tx:
            # Whole hours only, so that an hour is not added up twice for nothing.
            return tx.fold_rollups(before_minute=int(before_s // 3600) * 60, limit=self._limits.step_rows_max)

    def _remove_hours(self, now_s: float) -> int:
        before_s = _before(now_s, self._limits.hours_days)
        if before_s is None:
            return 0
        with self._telemetry.write() as tx:
            return tx.remove_rollup_hours(before_hour=int(before_s // 3600), limit=self._limits.step_rows_max)

    def _remove_events(self, now_s: float) -> int:
        before_s = _before(now_s, self._limits.events_days)
        if before_s is None:
            return 0
        with self._telemetry.write() as tx:
            return tx.remove_events(before_ns=int(before_s * _NS), limit=self._limits.step_rows_max)

    def _remove_samples(self, now_s: float, gone: Counter[str]) -> None:
        """Remove samples that are too old, and count them."""
        before_s = _before(now_s, self._limits.samples_days)
        if before_s is not None:
            gone["samples"] += self._remove_samples_before(int(before_s * _NS), _AGE)

    def _remove_samples_before(self, before_ns: int, why: str) -> int:
        """Look at the next samples from before that time, and remove those without a label."""
        limit = self._limits.step_rows_max
        with self._telemetry.read() as records:
            oldest = records.oldest_samples(before_ns=before_ns, after=self._after[why], limit=limit)
        ids = [sample_id for _, sample_id in oldest]
        with self._control.read() as tx:
            labelled = tx.labels(ids)
        with self._telemetry.write() as records:
            removed = records.remove_samples([each for each in ids if each not in labelled])
        self._after[why] = oldest[-1] if len(oldest) == limit else None
        return removed

    def _remove_over_bytes(self) -> int:
        """Remove the oldest records, or samples when no record is left, while all of it takes too much."""
        limits = self._limits
        with self._telemetry.read() as tx:
            is_over = 0 < limits.bytes_max < tx.used_bytes()
        if not is_over:
            self._after[_BYTES] = None
            return 0
        with self._telemetry.write() as tx:
            removed = tx.remove_records(received_before_ns=None, limit=limits.step_rows_max)
        if removed:
            return removed
        return self._remove_samples_before(self._clock.utc_ns() + 1, _BYTES)


def _before(now_s: float, days: float) -> float | None:
    """Return the time before which everything goes, or None when it stays."""
    return max(0.0, now_s - days * _DAY_S) if days else None
