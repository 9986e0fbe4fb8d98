"""Values of a model's inputs as counts over the edges that its package carries, so that minutes and nodes add up.

Which figures an input has stands in `core.input_values`; here is only how they are counted. No numpy: the hub and the
agent read counts and never an input.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite

from ganglion.core.errors import InvalidRequest

HISTOGRAMS_MAX = 64
"""Histograms of one version, of all its inputs together."""
FEATURES_MAX = 32
"""A table with more columns is counted by the mean of its rows."""
EDGES_MAX, _EDGES_MIN = 64, 2
NAME_LENGTH_MAX = 100
_COUNT_MAX = 2**53


def feature_name(name: str, feature: int) -> str:
    """Return the name of the histogram of one column of an input."""
    return f"{name}[{feature}]"


def bins_of(edges: Sequence[float]) -> int:
    """Return how many bins there are: one below all edges, one between each two, one from the last edge on."""
    return len(edges) + 1


def bin_of(edges: Sequence[float], value: float) -> int:
    """Return the bin of a value that is not NaN: as many as there are edges that are not above it."""
    return bisect_right(edges, value)


def count(histograms: dict[str, list[int]], found: Mapping[str, tuple[int, int]]) -> None:
    """Count one row: by name its bin, and how many bins there are. What does not fit is left out."""
    for name, (at, bins) in found.items():
        if not 0 <= at < bins <= bins_of(range(EDGES_MAX)) or len(name) > NAME_LENGTH_MAX:
            continue
        counts = _counts_of(histograms, name, bins)
        if counts is not None:
            counts[at] += 1


def merge(histograms: dict[str, list[int]], others: Mapping[str, Sequence[int]]) -> None:
    """Add the counts of `others`, of the same version; names beyond HISTOGRAMS_MAX, and other edges, are left out."""
    for name, more in others.items():
        counts = _counts_of(histograms, name, len(more))
        if counts is not None:
            counts[:] = [one + other for one, other in zip(counts, more, strict=True)]


def check(histograms: Mapping[str, Sequence[int]]) -> None:
    """Refuse what counting never makes. Raises: InvalidRequest."""
    if len(histograms) > HISTOGRAMS_MAX or any(len(name) > NAME_LENGTH_MAX for name in histograms):
        raise InvalidRequest("there are too many histograms of inputs, or too long names")
    for counts in histograms.values():
        if not bins_of(range(_EDGES_MIN)) <= len(counts) <= bins_of(range(EDGES_MAX)):
            raise InvalidRequest(f"a histogram of an input has between {_EDGES_MIN} and {EDGES_MAX} edges")
        if min(counts) < 0 or max(counts) > _COUNT_MAX:
            raise InvalidRequest("the counts of a histogram of an input are not negative")


def fault_of(name: str, edges: Sequence[float], counts: Sequence[int]) -> str:
    """Return in words what is wrong with a reference histogram; empty when nothing is."""
    if len(name) > NAME_LENGTH_MAX:
        return f"the name is longer than {NAME_LENGTH_MAX}"
    if not _EDGES_MIN <= len(edges) <= EDGES_MAX or len(counts) != len(edges) - 1:
        return f"{len(edges)} edges and {len(counts)} counts: at most {EDGES_MAX} edges have one count between each two"
    if not all(map(isfinite, edges)) or any(low >= high for low, high in pairwise(edges)):
        return "the edges are finite, and each is above the one before"
    return ""


def _counts_of(histograms: dict[str, list[int]], name: str, bins: int) -> list[int] | None:
    if name not in histograms and len(histograms) >= HISTOGRAMS_MAX:
        return None
    counts = histograms.setdefault(name, [0] * bins)
    return counts if len(counts) == bins else None
