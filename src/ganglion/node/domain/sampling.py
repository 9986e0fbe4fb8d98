"""Which inputs a node keeps: those the model was unsure of, a few by chance, and never more than the budget.

Pure: the caller gives the time and the chance values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ganglion.wire.desired import CollectionSettings

_HOUR_S = 3600.0
_BURST_SHARE = 0.5
"""Half of the hourly budget may go at once and the other half over the hour: no hour ever holds more than all of it."""

_GAP_MAX = 1e18
"""Requests until the next random sample: more than any node ever answers."""


class SampleReason(StrEnum):
    """Why an input was kept."""

    LOW_CONFIDENCE = "low_confidence"
    RANDOM = "random"
    REQUESTED = "requested"


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of a request that is worth keeping."""

    row: int
    reason: SampleReason


class ByteBudget:
    """A token bucket: full at first, refilled evenly."""

    def __init__(self, bytes_per_hour: int, *, now_s: float) -> None:
        self._capacity = bytes_per_hour * _BURST_SHARE
        self._rate = bytes_per_hour * (1.0 - _BURST_SHARE) / _HOUR_S
        self._level, self._filled_at_s = self._capacity, now_s

    def has(self, size_bytes: int, *, now_s: float) -> bool:
        """Say whether `size_bytes` could be spent now."""
        gained = max(0.0, now_s - self._filled_at_s) * self._rate
        self._level, self._filled_at_s = min(self._capacity, self._level + gained), now_s
        return size_bytes <= self._level

    def take(self, size_bytes: int, *, now_s: float) -> bool:
        """Spend `size_bytes` if the budget has them."""
        is_there = self.has(size_bytes, now_s=now_s)
        self._level -= size_bytes if is_there else 0
        return is_there

    def wait_s(self, size_bytes: int) -> float:
        """Return how long it takes until `size_bytes` can be spent, counted from the last question."""
        if size_bytes > self._capacity or not self._rate:
            return math.inf
        return max(0.0, size_bytes - self._level) / self._rate

    def resized(self, bytes_per_hour: int, *, now_s: float) -> "ByteBudget":
        """Return a budget of another size that has no more left than this one."""
        other = ByteBudget(bytes_per_hour, now_s=now_s)
        self.take(0, now_s=now_s)
        other._level = min(other._capacity, self._level)
        return other


def is_doubtful(settings: CollectionSettings, confidences: Sequence[float]) -> bool:
    """Say whether the model was unsure of any row. NaN is as uncertain as can be."""
    limit = settings.confidence_below
    for confidence in confidences:  # noqa: SIM110 - called for every request: a generator costs more than the question
        if not confidence >= limit:
            return True
    return False


def requests_until_random(share: float, chance: float) -> float:
    """Return how many requests pass before the next one that is kept by chance; `chance` is in [0, 1).

    Drawing the gap once is the same as throwing for every request, without throwing.
    Source: the geometric distribution, by inversion.
    """
    if share <= 0.0:
        return math.inf
    if share >= 1.0:
        return 0
    return math.floor(min(math.log1p(-chance) / math.log1p(-share), _GAP_MAX))


def choose(
    settings: CollectionSettings, confidences: Sequence[float], *, rows: int, random_row: float | None
) -> Choice | None:
    """Return the row to keep, if any: the least certain one below the limit, else the one that chance points at.

    `random_row` is in [0, 1) when this request is kept by chance, else None; `confidences` is empty for a model that
    makes no predictions.
    """
    if is_doubtful(settings, confidences):
        return Choice(_least_certain(confidences), SampleReason.LOW_CONFIDENCE)
    if random_row is not None and rows > 0:
        return Choice(min(int(random_row * rows), rows - 1), SampleReason.RANDOM)
    return None


def _least_certain(confidences: Sequence[float]) -> int:
    return min(range(len(confidences)), key=lambda row: _certainty(confidences[row]))


def _certainty(confidence: float) -> float:
    return confidence if confidence == confidence else -math.inf  # noqa: PLR0124 - only NaN differs from itself
