"""Histograms as they were measured: upper edges with counts, of each bucket or of all up to it."""

from collections.abc import Iterable, Mapping, Sequence

from ganglion.advisor.fields import Section
from ganglion.advisor.given import Field, normal
from ganglion.advisor.ranges import Tree

_EDGE = Field("le", "ms", "Upper edge of a bucket.", "50 ms")
_COUNT = Field("count", "count", "How often.", "120")
_ENDLESS = {"+inf", "inf", "infinity", ".inf", "+.inf"}
_CUMULATIVE = "le"
"""What Prometheus calls an edge whose count is that of everything up to it."""
_EDGES = (_CUMULATIVE, "upper", "to", "up_to", "edge", "bound", "max", "until")


def read(section: Section, leaf: Tree, shares: Iterable[float], path: str) -> dict[float, float]:
    """Return the milliseconds at each share that the buckets know, and at the end of the last one that has an end.

    Counts at edges called `le` that never fall are those of everything up to the edge.
    """
    rows = _written_out(leaf) if isinstance(leaf, str) else _rows(leaf)
    is_endless = bool(rows) and rows[-1][0].strip().lower() in _ENDLESS
    finite = rows[:-1] if is_endless else rows
    edges = [_number(section, text, _EDGE, path) for text, _ in finite]
    counts = [_number(section, text, _COUNT, path) for _, text in rows]
    if None in edges or None in counts:
        return {}
    bounds, numbers = [each or 0.0 for each in edges], [each or 0.0 for each in counts]
    if _is_cumulative(leaf, numbers):
        numbers = [here - before for here, before in zip(numbers, [0.0, *numbers], strict=False)]
    if not bounds or sorted(bounds) != bounds or not sum(numbers):
        section.reading.problems.append(f"{path}: buckets need ascending upper edges, and counts")
        return {}
    within = sum(numbers[: len(bounds)]) / sum(numbers)
    found = {of: quantile(numbers, [0.0, *bounds, bounds[-1]], of) for of in shares if of <= within}
    # Of what lies beyond the last edge only that is known.
    return found if within >= 1 or not within else {**found, within: bounds[-1]}


def _rows(leaf: Tree) -> list[tuple[str, str]]:
    rows = [_named(each) for each in leaf if isinstance(each, dict)] if isinstance(leaf, list) else []
    return [
        (next((each[name] for name in _EDGES if name in each), ""), each.get("count", each.get("value", "")))
        for each in rows
    ]


def _named(row: Mapping[str, Tree]) -> dict[str, str]:
    return {normal(name): str(each) for name, each in row.items()}


def _written_out(text: str) -> list[tuple[str, str]]:
    """Return the rows of a histogram in one text: `10 ms: 5, 50 ms: 20`."""
    return [(each.partition(":")[0], each.partition(":")[2]) for each in text.split(",")]


def _is_cumulative(leaf: Tree, counts: Sequence[float]) -> bool:
    named = isinstance(leaf, list) and all(isinstance(each, dict) and _CUMULATIVE in _named(each) for each in leaf)
    return named and len(counts) > 1 and sorted(counts) == list(counts)


def _number(section: Section, text: str, wanted: Field, path: str) -> float | None:
    given = section.quantity(text, wanted, path.removeprefix(section.path))
    return None if given is None else float(given.value)


def quantile(counts: Sequence[float], edges: Sequence[float], share: float) -> float:
    """Return the value that a share did not exceed.

    Shapes: counts [bins], edges [bins + 1], ascending. Source: linear inside a bin, as Prometheus `histogram_quantile`.
    """
    rank, seen = share * sum(counts), 0.0
    for index, count in enumerate(counts):
        if count and seen + count >= rank:
            low, high = edges[index], edges[index + 1]
            return low + (high - low) * (rank - seen) / count
        seen += count
    return edges[-1]
