"""Requests as somebody logged them, gathered by workload; and the figures of what was gathered."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganglion.advisor.buckets import quantile as of_buckets

Floats: TypeAlias = "NDArray[np.float64]"
_Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Request:
    """One request; None is what the log does not say."""

    workload: str
    at_s: float | None = None
    latency_ms: float | None = None
    bytes_in: float | None = None
    bytes_out: float | None = None
    failed: bool | None = None
    tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What a metrics system counted of a workload; None is what it does not say."""

    workload: str
    count: float | None = None
    failed: float | None = None
    span_s: float | None = None
    quantiles_ms: tuple[tuple[float, float], ...] = ()
    buckets_ms: tuple[tuple[float, float], ...] = ()
    """(upper edge, count in the bucket); the last edge may be infinite."""
    bytes_out: float | None = None


@dataclass(slots=True)
class Traffic:
    """Everything that was gathered of one workload."""

    workload: str
    count: float = 0
    latencies_ms: list[float] = field(default_factory=list)
    bytes_in: list[float] = field(default_factory=list)
    bytes_out: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    failed: float = 0
    judged: float = 0
    """Requests of which it is known whether they failed."""
    first_s: float = math.inf
    last_s: float = -math.inf
    span_s: float | None = None
    quantiles_ms: dict[float, float] = field(default_factory=dict)
    buckets_ms: dict[float, float] = field(default_factory=dict)

    def add(self, one: Request) -> None:
        """Take in one request."""
        self.count += 1
        for value, into in (
            (one.latency_ms, self.latencies_ms),
            (one.bytes_in, self.bytes_in),
            (one.bytes_out, self.bytes_out),
            (one.tokens, self.tokens),
        ):
            if value is not None and math.isfinite(value) and value >= 0:
                into.append(value)
        if one.failed is not None:
            self.judged += 1
            self.failed += one.failed
        if one.at_s is not None:
            self.first_s, self.last_s = min(self.first_s, one.at_s), max(self.last_s, one.at_s)

    def merge(self, one: Counted) -> None:
        """Take in counts of a metrics system."""
        self.count = max(self.count, one.count or 0.0)
        if one.failed is not None:
            self.failed, self.judged = max(self.failed, one.failed), max(self.judged, one.count or self.count)
        self.span_s = one.span_s if one.span_s is not None else self.span_s
        self.quantiles_ms |= dict(one.quantiles_ms)
        for edge, count in one.buckets_ms:
            self.buckets_ms[edge] = self.buckets_ms.get(edge, 0.0) + count
        if one.buckets_ms and not one.count:
            self.count = max(self.count, sum(self.buckets_ms.values()))

    @property
    def seconds(self) -> float | None:
        """Time between the first and the last request, or None when nobody said when they came."""
        if self.span_s is not None:
            return self.span_s
        return self.last_s - self.first_s if self.last_s > self.first_s else None

    @property
    def has_latency(self) -> bool:
        """Whether any latency was measured."""
        return bool(self.latencies_ms or self.quantiles_ms or sum(self.buckets_ms.values()))

    def latency(self, share: float) -> float | None:
        """Return the latency in milliseconds that a share of the requests did not exceed."""
        if self.latencies_ms:
            return nearest_rank(np.sort(np.array(self.latencies_ms)), share)
        if sum(self.buckets_ms.values()):
            edges = sorted(self.buckets_ms)
            finite = [edge for edge in edges if math.isfinite(edge)]
            # The last bucket has no upper edge: what lies in it is at least its lower one.
            bounds = [0.0, *finite, *([finite[-1]] if finite and len(finite) < len(edges) else [])]
            return of_buckets([self.buckets_ms[edge] for edge in edges], bounds, share) if finite else None
        return self.quantiles_ms.get(share)

    def latency_interval(self, share: float) -> tuple[float, float] | None:
        """Return the interval that holds the quantile with 95 %. None: single latencies are not known."""
        if not self.latencies_ms:
            return None
        ordered = np.sort(np.array(self.latencies_ms))
        count = len(ordered)
        spread = _Z95 * math.sqrt(count * share * (1 - share))
        low, high = math.floor(count * share - spread), math.ceil(count * share + spread)
        return float(ordered[max(0, low - 1)]), float(ordered[min(count - 1, high)])


def nearest_rank(ordered: Floats, share: float) -> float:
    """Return the smallest value that a share of the values does not exceed. Shape: ordered [n], ascending, n > 0."""
    return float(ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered) - 1e-9) - 1))])


def gather(requests: Iterable[Request], counted: Sequence[Counted] = ()) -> dict[str, Traffic]:
    """Return what was seen of each workload."""
    found: dict[str, Traffic] = {}
    for one in requests:
        found.setdefault(one.workload, Traffic(one.workload)).add(one)
    for each in counted:
        found.setdefault(each.workload, Traffic(each.workload)).merge(each)
    return found
