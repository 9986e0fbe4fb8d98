"""Which inputs a node keeps: those that tell something, a few by chance, and never more than the budget.

Pure: the caller gives the time and the chance values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from ganglion.core import trigger_rule
from ganglion.core.predictions import Prediction
from ganglion.core.steps import Tensors
from ganglion.core.trigger_rule import Facts, TriggerRule
from ganglion.core.typicality import Typicality
from ganglion.node.domain.sending.sample_reasons import SampleReason
from ganglion.wire.desired import CollectionSettings

_HOUR_S = 3600.0
_BURST_SHARE = 0.5
"""Half of the hourly budget may go at once and the other half over the hour: no hour ever holds more than all of it."""

_GAP_MAX = 1e18
"""Requests until the next random sample: more than any node ever answers."""
_FEED_VALUES_MAX = 256
"""A rule looks at so many values of each input: enough for figures, and no time for pictures."""
_STRANGENESS = "out_of_distribution"
NO_MEASURES: Mapping[str, float] = {}


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


class Answered(msgspec.Struct, frozen=True, gc=False):
    """One request's answer, for those reasons that ask about more than the confidence."""

    predictions: Sequence[Prediction]
    """One per row; none of a model that makes no predictions."""
    inputs: Tensors
    latency_us: int = 0
    typicality: Typicality | None = None
    """How the version answered held-out data; None: nobody knows."""


class CloserLook:
    """The reasons that cost more than a comparison of the confidence; most fleets ask for none of them."""

    def __init__(self, settings: CollectionSettings) -> None:
        """Raises: InvalidRequest: the trigger rule is none."""
        self._margin_below, self._strange_above = settings.margin_below, settings.out_of_distribution_above
        self._rule: TriggerRule = trigger_rule.parse(settings.keep_when)
        self._asks_strangeness = _STRANGENESS in self._rule.fields
        self.is_wanted = bool(
            self._margin_below > 0.0
            or self._strange_above < 1.0
            or (self._rule.alternatives and not self._rule.asks_quality)
        )
        """Whether there is anything to ask about every answer."""
        self.asks_quality = self._rule.asks_quality
        """Whether the rule is asked when an input's quality was measured, and then only."""

    def choose(self, answered: Answered) -> Choice | None:
        """Return the first row with a reason; margins come before strangeness, and both before the rule."""
        margin_below, strange_above = self._margin_below, self._strange_above
        for row, prediction in enumerate(answered.predictions):
            if margin_below > 0.0 and not prediction.margin >= margin_below:
                return Choice(row, SampleReason.SMALL_MARGIN)
            if strange_above < 1.0 and _strangeness(answered, prediction) > strange_above:
                return Choice(row, SampleReason.OUT_OF_DISTRIBUTION)
        return None if self.asks_quality else self.choose_by_rule(answered)

    def choose_by_rule(self, answered: Answered, measures: Mapping[str, float] = NO_MEASURES) -> Choice | None:
        """Return the first row for which the rule holds; `measures` are those of the input's quality, by name."""
        if not self._rule.alternatives:
            return None
        for row, prediction in enumerate(answered.predictions or (None,)):
            numbers = {"latency_us": float(answered.latency_us)}
            if measures:
                numbers |= {f"{trigger_rule.QUALITY}{name}": value for name, value in measures.items()}
            if self._rule.holds(self._facts(answered, prediction, row, numbers)):
                return Choice(row, SampleReason.TRIGGER_RULE)
        return None

    def _facts(self, answered: Answered, prediction: Prediction | None, row: int, numbers: dict[str, float]) -> Facts:
        feed = partial(_feed, answered.inputs, row)
        if prediction is None:
            return Facts("", numbers, feed)
        numbers["confidence"], numbers["margin"] = prediction.confidence, prediction.margin
        if self._asks_strangeness and answered.typicality is not None:
            numbers[_STRANGENESS] = _strangeness(answered, prediction)
        return Facts(prediction.label, numbers, feed)


def _feed(inputs: Tensors, row: int, name: str) -> list[float]:
    tensor = inputs.get(name)
    if tensor is None or tensor.dtype.kind not in "buif":
        return []
    part = tensor[row] if tensor.ndim and tensor.shape[0] > row else tensor
    values: list[float] = part.reshape(-1)[:_FEED_VALUES_MAX].astype(float).tolist()
    return values


def _strangeness(answered: Answered, prediction: Prediction) -> float:
    return answered.typicality.score(prediction.label, prediction.confidence) if answered.typicality else 0.0


def choose(
    settings: CollectionSettings, confidences: Sequence[float], *, rows: int, random_row: float | None
) -> Choice | None:
    """Return the row to keep, if any: the one that chance points at, else the least certain one below the limit.

    Chance comes first, or what it keeps would be the sure answers alone, and no picture of all. `random_row` is in
    [0, 1) when this request is kept by chance, else None; `confidences` is empty for a model that makes no predictions.
    """
    if random_row is not None and rows > 0:
        return Choice(min(int(random_row * rows), rows - 1), SampleReason.RANDOM)
    if is_doubtful(settings, confidences):
        return Choice(_least_certain(confidences), SampleReason.LOW_CONFIDENCE)
    return None


def _least_certain(confidences: Sequence[float]) -> int:
    return min(range(len(confidences)), key=lambda row: _certainty(confidences[row]))


def _certainty(confidence: float) -> float:
    return confidence if confidence == confidence else -math.inf  # noqa: PLR0124 - only NaN differs from itself
