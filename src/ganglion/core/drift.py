"""Do two sets of counts come from the same distribution? The population stability index with a chi-squared threshold.

The textbook limit of 0.2 is slow for large samples and nervous for small ones. Under "no change",
PSI x harmonic sample size is close to chi-squared with (bins - 1) degrees of freedom, so the
threshold follows from the sample sizes and a false-alarm rate.
Source: Yurdakul (2018), "Statistical properties of the population stability index".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core.errors import Rejected

_SMOOTHING = 0.5
_BINS_MIN = 2


@dataclass(frozen=True, slots=True)
class Shift:
    """The outcome of a comparison: `psi` beyond `threshold` is a change that chance does not explain."""

    psi: float
    threshold: float

    @property
    def is_shifted(self) -> bool:
        """Say whether the difference is larger than chance explains."""
        return self.psi > self.threshold


def compare(reference: Sequence[int], live: Sequence[int], *, z: float = 4.0, floor: float = 0.1) -> Shift:
    """Compare two histograms over the same bins.

    Shapes: reference [bins], live [bins], counts. `z` is how many standard deviations of the
    chi-squared law the threshold lies above its mean; `floor` keeps a large sample from making a
    tiny, harmless difference an alarm.
    Raises: Rejected: the numbers of bins differ, or one side is empty.
    """
    if len(reference) != len(live) or len(live) < _BINS_MIN:
        raise Rejected(f"{len(reference)} and {len(live)} bins cannot be compared")
    total_reference, total_live = sum(reference), sum(live)
    if total_reference == 0 or total_live == 0:
        raise Rejected("a shift needs counts on both sides")
    psi = stability_index([*zip(reference, live, strict=True)], bins=len(live))
    freedom = len(live) - 1
    scale = 1.0 / total_reference + 1.0 / total_live
    return Shift(psi=psi, threshold=max(floor, scale * (freedom + z * math.sqrt(2.0 * freedom))))


def stability_index(counts: Sequence[tuple[float, float]], *, bins: int) -> float:
    """Return the PSI of pairs (reference, live), which may be weighted counts; half a row is added to each bin.

    Bins beyond the pairs given are empty on both sides.
    """
    total_reference, total_live = sum(pair[0] for pair in counts), sum(pair[1] for pair in counts)
    psi = 0.0
    for count_reference, count_live in counts:
        share_reference = (count_reference + _SMOOTHING) / (total_reference + _SMOOTHING * bins)
        share_live = (count_live + _SMOOTHING) / (total_live + _SMOOTHING * bins)
        psi += (share_live - share_reference) * math.log(share_live / share_reference)
    return psi


def wilson_interval(successes: int, trials: int, *, z: float = 2.576) -> tuple[float, float]:
    """Return the interval that holds the true share of successes; z = 2.576 is 99 %.

    Source: Wilson (1927), score interval. (0, 1) when nothing was tried.
    """
    if trials == 0:
        return 0.0, 1.0
    share, square = successes / trials, z * z
    centre = share + square / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    width = 1 + square / trials
    return max(0.0, (centre - spread) / width), min(1.0, (centre + spread) / width)
