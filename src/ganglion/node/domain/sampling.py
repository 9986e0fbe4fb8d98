"""Which inputs a node keeps: those the model was unsure of, a few by chance, and never more than the budget.

Pure: the caller gives the time and one chance value per request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ganglion.core.pipeline import Prediction
from ganglion.wire.messages import CollectionSettings

_HOUR_S = 3600.0
_BURST_SHARE = 0.5
"""Half of the hourly budget may go at once and the other half over the hour: no hour ever holds more than all of it."""


class SampleReason(StrEnum):
    """Why an input was kept."""

    LOW_CONFIDENCE = "low_confidence"
    RANDOM = "random"


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

    def resized(self, bytes_per_hour: int, *, now_s: float) -> "ByteBudget":
        """Return a budget of another size that has no more left than this one."""
        other = ByteBudget(bytes_per_hour, now_s=now_s)
        self.take(0, now_s=now_s)
        other._level = min(other._capacity, self._level)
        return other


def choose(
    settings: CollectionSettings, predictions: Sequence[Prediction], *, rows: int, chance: float
) -> Choice | None:
    """Return the row to keep, if any: the least certain one below the limit, else sometimes a random one.

    `chance` is in [0, 1); `predictions` is empty for a model that makes none. NaN is as uncertain as can be.
    """
    doubts = [(_certainty(prediction), row) for row, prediction in enumerate(predictions)]
    if doubts:
        certainty, row = min(doubts)
        if certainty < settings.confidence_below:
            return Choice(row, SampleReason.LOW_CONFIDENCE)
    if rows > 0 and chance < settings.random_share:
        # Below the share, chance is even over [0, share): its place there chooses the row.
        return Choice(min(int(chance / settings.random_share * rows), rows - 1), SampleReason.RANDOM)
    return None


def _certainty(prediction: Prediction) -> float:
    confidence = prediction.confidence
    return confidence if confidence == confidence else -1.0  # noqa: PLR0124 - only NaN differs from itself
