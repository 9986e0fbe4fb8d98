"""How far is an answer from those on held-out data? A score from the drift reference that each package carries."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ganglion.core.manifest import DriftReference


@dataclass(frozen=True, slots=True)
class Typicality:
    """The held-out answers of one version, ready to compare live ones with."""

    edges: tuple[float, ...]
    below: tuple[int, ...]
    """Held-out answers with a confidence below each edge, from 0 to all of them."""
    total: int
    classes: frozenset[str]
    """The labels that came up on held-out data."""

    def score(self, label: str, confidence: float) -> float:
        """Return how unlike the held-out answers this one is, from 0 to below 1.

        It is the share of held-out answers that were surer; a label that never came up there, and a confidence that
        is no number, are as strange as can be. With few held-out rows no score comes close to 1.
        Source: 1 minus the conformal p-value of Vovk et al. (2005), "Algorithmic learning in a random world".
        """
        if label not in self.classes or confidence != confidence:  # noqa: PLR0124 - only NaN differs from itself
            return self.total / (self.total + 1)
        return 1.0 - (self._not_surer(confidence) + 1.0) / (self.total + 1)

    def _not_surer(self, confidence: float) -> float:
        index = bisect_right(self.edges, confidence)
        if index == 0:
            return 0.0
        if index == len(self.edges):
            return float(self.total)
        low, high = self.edges[index - 1 : index + 1]
        before, behind = self.below[index - 1 : index + 1]
        return before + (behind - before) * (confidence - low) / (high - low)


def typicality(reference: DriftReference | None) -> Typicality | None:
    """Return what live answers are compared with; None for a package that says nothing of held-out data."""
    if reference is None:
        return None
    edges, counts = reference.confidence.edges, reference.confidence.counts
    total = sum(counts)
    if not total or len(edges) != len(counts) + 1 or any(low >= high for low, high in pairwise(edges)):
        return None
    classes = frozenset(label for label, count in reference.classes.items() if count)
    return Typicality(edges, (0, *accumulate(counts)), total, classes)
