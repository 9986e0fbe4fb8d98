"""Prometheus pages and range queries as counts: histograms, summaries and counters of requests."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.advisor.assess.observations import Counted

_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_WORKLOAD = ("model", "workload", "handler", "route", "path", "endpoint", "uri", "service", "job")
_DURATION = re.compile(r"(request|latency|duration|inference|response|server)")
_SCALES = {"_seconds": 1000.0, "_milliseconds": 1.0, "_ms": 1.0, "_us": 0.001, "_microseconds": 0.001}
_FAILED = re.compile(r"(error|fail)")


@dataclass(slots=True)
class _Series:
    buckets: dict[float, float] = field(default_factory=dict)
    """Cumulative, by upper edge in milliseconds."""
    quantiles: dict[float, float] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)
    """Requests by the name of the counter: several may count the same ones."""
    failed: float | None = None
    span_s: float | None = None

    @property
    def count(self) -> float | None:
        """How many requests there were, by the counter that saw most."""
        return max(self.totals.values(), default=None)


def is_page(text: str) -> bool:
    """Tell whether a text is a page of metrics."""
    lines = [line for line in text[:8000].splitlines() if line.strip()][:40]
    return any(line.startswith(("# HELP", "# TYPE")) for line in lines) or (
        bool(lines) and all(_LINE.match(line) for line in lines[:-1] or lines) and "," not in lines[0].partition("{")[0]
    )


def page(text: str) -> list[Counted]:
    """Return what a page counts. Counters of a page count since the start of its process, so it has no time span."""
    samples = (
        (match["name"], dict(_LABEL.findall(match["labels"] or "")), number, None)
        for line in text.splitlines()
        if (match := _LINE.match(line.strip())) and (number := _number(match["value"])) is not None
    )
    return _counted(samples)


def ranges(data: Mapping[str, object]) -> list[Counted]:
    """Return what a query counts: of counters, what they grew by; of gauges, their last value."""
    return _counted(_of_results(data))


def _of_results(data: Mapping[str, object]) -> Iterator[tuple[str, dict[str, str], float, float | None]]:
    results = data.get("result")
    for each in results if isinstance(results, list) else []:
        if not isinstance(each, dict) or not isinstance(each.get("metric"), dict):
            continue
        labels = {str(key): str(value) for key, value in each["metric"].items()}
        pairs = each.get("values") or [each.get("value")]
        points = [(_number(pair[0]), _number(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2]  # noqa: PLR2004 - time, value
        known = [(at, value) for at, value in points if at is not None and value is not None]
        if not known:
            continue
        name = labels.pop("__name__", "")
        is_counter = name.endswith(("_bucket", "_count", "_total", "_sum"))
        value = _growth([value for _, value in known]) if is_counter and len(known) > 1 else known[-1][1]
        yield name, labels, value, known[-1][0] - known[0][0] if len(known) > 1 else None


def _growth(values: Sequence[float]) -> float:
    """Return how much a counter grew; it begins anew when its process does."""
    return sum(after - before if after >= before else after for before, after in itertools.pairwise(values))


def _counted(samples: Iterable[tuple[str, dict[str, str], float, float | None]]) -> list[Counted]:
    found: dict[str, _Series] = {}
    for name, labels, value, span in samples:
        workload = next((labels[label] for label in _WORKLOAD if label in labels), "")
        if not workload or not math.isfinite(value):
            continue
        series = found.setdefault(workload, _Series())
        series.span_s = span or series.span_s
        _take(series, name, labels, value)
    return [
        _of(workload, series)
        for workload, series in found.items()
        if series.count or series.quantiles or series.buckets
    ]


def _take(series: _Series, name: str, labels: Mapping[str, str], value: float) -> None:
    base = re.sub(r"_(bucket|count|sum|total)$", "", name)
    scale = next((factor for tail, factor in _SCALES.items() if base.endswith(tail)), None)
    is_duration = scale is not None and _DURATION.search(base) is not None and "stage" not in labels
    if name.endswith("_bucket") and "le" in labels and is_duration and scale is not None:
        edge = _edge(labels["le"])
        if edge is not None:
            series.buckets[edge * scale] = series.buckets.get(edge * scale, 0.0) + value
    elif "quantile" in labels and scale is not None and is_duration:
        share = _number(labels["quantile"])
        if share is not None:
            series.quantiles[share] = value * scale
    elif name.endswith(("_total", "_count")):
        status = labels.get("status", labels.get("code", labels.get("status_code", "")))
        if _FAILED.search(name):
            series.failed = (series.failed or 0.0) + value
        elif "request" in name or "inference" in name:
            series.totals[name] = series.totals.get(name, 0.0) + value
            if status:
                series.failed = (series.failed or 0.0) + (value if status.startswith("5") else 0.0)


def _of(workload: str, series: _Series) -> Counted:
    edges = sorted(series.buckets)
    counts = [series.buckets[edge] for edge in edges]
    inside = [count - before for count, before in zip(counts, [0.0, *counts], strict=False)]
    return Counted(
        workload=workload,
        count=series.count if series.count is not None else (counts[-1] if counts else None),
        failed=series.failed,
        span_s=series.span_s,
        quantiles_ms=tuple(sorted(series.quantiles.items())),
        buckets_ms=tuple((edge, max(0.0, count)) for edge, count in zip(edges, inside, strict=True)),
    )


def _edge(text: str) -> float | None:
    return math.inf if text in {"+Inf", "Inf", "inf"} else _number(text)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return None if math.isnan(number) else number
