"""What `ganglion advise assess` answers. These structs are its published JSON."""

import msgspec

from ganglion.advisor.figures import SCHEMA_VERSION, Figure, Question


class WorkloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the logs say of one workload, and what they do not."""

    name: str
    figures: dict[str, Figure]
    """requests, rate, latency_p50, latency_p95, latency_p99, bytes_in_mean, bytes_out_mean, egress_day, tokens_mean,
    failure_rate, model_size: as far as they were measured or said."""
    not_measured: tuple[str, ...]
    priority: float | None = None
    """User impact x latency sensitivity x weight of the data class; null when one of the three was not said."""
    rank: int = 0
    """1 is looked at first; 0 is not ranked."""
    latency_critical: bool | None = None
    recommendation: str
    """candidate: it may be tried at the edge; refused: what stands in `refused_because` is missing."""
    refused_because: tuple[str, ...] = ()
    """latency_baseline, data_class, way_back."""


class RequestGroup(msgspec.Struct, frozen=True):
    """One kind of requests."""

    workload: str
    requests: float
    share: float
    """Of all latency-critical requests."""


class TopTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """The fewest kinds of requests that together hold at least `wanted` of the latency-critical traffic."""

    wanted: float
    held: float
    groups: tuple[RequestGroup, ...]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure before and after a pilot, with the intervals that hold it with 95 %."""

    figure: str
    unit: str
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    outcome: str
    """better, worse or unclear: the intervals overlap."""


class PilotReport(msgspec.Struct, frozen=True, kw_only=True):
    """Before and after a pilot, for one workload."""

    workload: str
    verdict: str
    """expand, hold or stop."""
    reason: str
    compared: tuple[Compared, ...]


class AssessAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to logs and a map of workloads."""

    kind: str = "assess"
    schema_version: int = SCHEMA_VERSION
    name: str = ""
    status: str
    """assessed; refused: no workload may be recommended to move yet; compared: there is a pilot to judge."""
    answer: str
    formats: tuple[str, ...]
    """What the files were."""
    skipped_lines: int = 0
    workloads: tuple[WorkloadReport, ...]
    top_traffic: TopTraffic | None = None
    pilot: tuple[PilotReport, ...] = ()
    verdict: str = ""
    """Of the whole pilot: the most cautious of its workloads' verdicts."""
    questions: tuple[Question, ...] = ()
    assumptions: tuple[str, ...] = ()
