"""Measures of input quality as counts over fixed edges, so that a node's minute and a fleet's week add up.

What is measured, and how, stands in `core.quality`; here is only how values are counted. No numpy: the hub and the
agent read counts and never an input.
"""

from bisect import bisect_left
from collections.abc import Mapping

from ganglion.core.errors import InvalidRequest

BINS = 16
MEASURES_MAX = 64
NAME_LENGTH_MAX = 100
_COUNT_MAX = 2**53
_LOG_EDGES = (0.0, *(10 ** (-5 + 5 * step / (BINS - 2)) for step in range(BINS - 2)))
"""The first bin is what is exactly 0; the others grow from 1e-5 to 1 by a factor of 2.3."""
_SHARE_EDGES = tuple(step / (BINS - 1) for step in range(BINS - 1))
"""The first bin is what is exactly 0; the others are equally wide."""
_LEVEL_EDGES = tuple(step / BINS for step in range(1, BINS))

EDGES: Mapping[str, tuple[float, ...]] = {
    "sharpness": _LOG_EDGES,
    "brightness": _LEVEL_EDGES,
    "clipped": _SHARE_EDGES,
    "covered": _SHARE_EDGES,
    "change": _LOG_EDGES,
    "flatline": _SHARE_EDGES,
    "saturation": _SHARE_EDGES,
    "missing": _SHARE_EDGES,
}
"""Inner edges [BINS - 1] by measure, ascending: bin i holds values above edge i - 1, and up to edge i."""


def bin_of(measure: str, value: float) -> int:
    """Return the bin of a value. A measure of a model with several inputs has the input's name and a dot before it.

    NaN goes to the first bin, and a measure without edges of its own counts as a share.
    """
    edges = EDGES.get(measure.rpartition(".")[2], _SHARE_EDGES)
    return bisect_left(edges, value) if value == value else 0  # noqa: PLR0124 - only NaN differs from itself


def count(histograms: dict[str, list[int]], measures: Mapping[str, float]) -> None:
    """Count one input; beyond MEASURES_MAX names, further ones are left out."""
    for measure, value in measures.items():
        counts = _counts_of(histograms, measure)
        if counts is not None:
            counts[bin_of(measure, value)] += 1


def merge(histograms: dict[str, list[int]], others: Mapping[str, list[int]]) -> None:
    """Add the counts of `others`; beyond MEASURES_MAX names, further ones are left out."""
    for measure, more in others.items():
        counts = _counts_of(histograms, measure)
        if counts is not None:
            counts[:] = [one + other for one, other in zip(counts, more, strict=True)]


def check(histograms: Mapping[str, list[int]]) -> None:
    """Refuse what counting never makes. Raises: InvalidRequest."""
    if len(histograms) > MEASURES_MAX or any(len(name) > NAME_LENGTH_MAX for name in histograms):
        raise InvalidRequest("there are too many measures of input quality, or too long names")
    for counts in histograms.values():
        if len(counts) != BINS or min(counts) < 0 or max(counts) > _COUNT_MAX:
            raise InvalidRequest(f"a measure of input quality has {BINS} counts, none of them negative")


def _counts_of(histograms: dict[str, list[int]], measure: str) -> list[int] | None:
    if measure not in histograms and len(histograms) >= MEASURES_MAX:
        return None
    return histograms.setdefault(measure, [0] * BINS)
