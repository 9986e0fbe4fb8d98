"""Comparing two sets of nodes, with intervals that hold at every look.

The node is what is counted: it was drawn into its arm, so a thousand answers of one machine are one machine. A node's
mean is compared with those of its own class.
Sources: Robbins (1970), normal mixture, for intervals that hold at every look; Wallace (1959) for the few degrees of
freedom of a spread that is itself estimated; Cochran (1954), "Some methods for strengthening the common chi-square
tests", for the weights of classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist

from ganglion.core import sequential
from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.core.histogram import SCALE

NODE_ANSWERS_MIN = 20
"""Answers of a node before it has a mean."""
NODES_NEEDED_MAX = 10_000_000
_POWER = NormalDist().inv_cdf(0.8)
_OCTAVE = math.log(2.0) / (1 << SCALE)
_BIN = 1.0 / CONFIDENCE_BINS
_EXPONENT_MAX = 700.0
"""Of what a float holds."""
_ROUNDING = 1e-9
_SCALES = ((1.0, 0.5), (4.0, 0.25), (16.0, 0.25))
"""Times the difference that is to be found soonest, and which part of the chance. Together they hold, as each does."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A node's mean of one metric, and how far counting alone may have moved it."""

    node_class: str
    value: float
    variance: float
    weight: float = 1.0
    """Beside that of other nodes. What a node answered must not decide it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its standard error; the error rests on so many degrees of freedom."""

    value: float
    error: float
    freedom: int

    def half_width(self, chance: float, *, scale: float) -> float:
        """Return half the interval that holds the truth at every look, except with `chance`.

        `scale` is the size of difference that is to be found soonest. The chance is divided over larger ones too:
        where nodes are unlike each other, or their counts are few, one scale alone would never see a large difference.
        """
        return min(self._half_width(chance * part, scale * times) for times, part in _SCALES)

    def _half_width(self, chance: float, scale: float) -> float:
        bound = sequential.shift_boundary(self.error**-2, 1.0, chance, scale=scale**2)
        exponent = bound / self.error**2 / self.freedom
        if exponent > _EXPONENT_MAX:
            return math.inf
        return self.error * math.sqrt(self.freedom * math.expm1(exponent))

    def detectable(self, chance: float, *, scale: float) -> float:
        """Return the true difference that would be found now, four times out of five."""
        return self.half_width(chance, scale=scale) + _POWER * self.error


def mean_of(metric: str, node_class: str, behaviour: Behaviour) -> Mean | None:
    """Return a node's mean of a metric; None: it answered too little. Latency is the natural logarithm of µs."""
    match metric:
        case "error_rate":
            if behaviour.requests < NODE_ANSWERS_MIN:
                return None
            # No error in a hundred is not knowledge that there will never be one.
            likely = (behaviour.errors + 0.5) / (behaviour.requests + 1.0)
            return Mean(node_class, behaviour.error_rate, likely * (1.0 - likely) / behaviour.requests)
        case "confidence":
            bins = {(index + 0.5) * _BIN: count for index, count in enumerate(behaviour.confidence) if count}
            return _mean(node_class, bins, _BIN)
        case _:
            buckets = behaviour.latency_us.buckets.items()
            return _mean(node_class, {(index + 0.5) * _OCTAVE: count for index, count in buckets if count}, _OCTAVE)


def difference(challenger: Sequence[Mean], control: Sequence[Mean]) -> Estimate | None:
    """Return challenger minus control, within classes; None: too few nodes to know how nodes vary."""
    shared = {each.node_class for each in challenger} & {each.node_class for each in control}
    new = [each for each in challenger if each.node_class in shared]
    old = [each for each in control if each.node_class in shared]
    (new_squares, new_weight, new_freedom), (old_squares, old_weight, old_freedom) = _spread(new), _spread(old)
    freedom = int(new_freedom + old_freedom + _ROUNDING)
    if freedom < 1:
        return None
    between = (new_squares + old_squares) / (new_weight + old_weight)
    value = weights = variance = 0.0
    for node_class in sorted(shared):
        ours = [each for each in new if each.node_class == node_class]
        theirs = [each for each in old if each.node_class == node_class]
        weight = 1.0 / (1.0 / _weight(ours) + 1.0 / _weight(theirs))
        value += weight * (middle(ours) - middle(theirs))
        variance += weight**2 * (_variance(ours, between) + _variance(theirs, between))
        weights += weight
    return Estimate(value / weights, math.sqrt(variance) / weights, freedom)


def arm_mean(means: Sequence[Mean]) -> Estimate | None:
    """Return the mean of an arm's nodes; None: too few nodes to know how nodes vary."""
    squares, weight, freedom = _spread(means)
    if freedom + _ROUNDING < 1.0:
        return None
    error = math.sqrt(_variance(means, squares / weight))
    return Estimate(middle(means), error, int(freedom + _ROUNDING))


def middle(means: Sequence[Mean]) -> float:
    """Return the mean of nodes' means, by their weights; there is at least one."""
    return math.fsum(each.weight * each.value for each in means) / _weight(means)


def nodes_needed(found: Estimate, nodes: int, chance: float, *, effect: float) -> int | None:
    """Return the nodes of both arms at which `effect` would be found, as nodes vary now. None: beyond any fleet."""
    total = nodes
    while total <= NODES_NEEDED_MAX:
        shrunk = Estimate(found.value, found.error * math.sqrt(nodes / total), found.freedom + total - nodes)
        if shrunk.detectable(chance, scale=effect) <= effect:
            return total
        total = math.ceil(total * 1.02) + 1
    return None


def _mean(node_class: str, counts: Mapping[float, int], width: float) -> Mean | None:
    """Return the mean of binned values; within a bin they may lie anywhere."""
    total = sum(counts.values())
    if total < NODE_ANSWERS_MIN:
        return None
    centre = math.fsum(value * count for value, count in counts.items()) / total
    spread = math.fsum((value - centre) ** 2 * count for value, count in counts.items()) / total + width**2 / 12.0
    return Mean(node_class, centre, spread / total)


def _spread(means: Sequence[Mean]) -> tuple[float, float, float]:
    """Return the squared distances of nodes from the mean of their class, what they weigh, and the degrees of freedom.

    Squares over weight is the variance of a node, by weights; nodes of unlike weight are worth fewer of equal weight.
    Source: Kish (1965), "Survey Sampling", for how many.
    """
    squares = weight = freedom = 0.0
    ordered = sorted(means, key=lambda each: each.node_class)
    for _, group in groupby(ordered, key=lambda each: each.node_class):
        nodes = list(group)
        centre, weights = middle(nodes), _squared_weight(nodes)
        squares += math.fsum((each.weight * (each.value - centre)) ** 2 for each in nodes)
        weight += weights * (len(nodes) - 1) / len(nodes)
        freedom += _weight(nodes) ** 2 / weights - 1.0
    return squares, weight, freedom


def _variance(means: Sequence[Mean], between: float) -> float:
    """Return the variance of a mean of nodes. That nodes look alike does not make their counts exact."""
    weights = _squared_weight(means)
    counted = math.fsum(each.weight**2 * each.variance for each in means) / weights
    return max(between, counted) * weights / _weight(means) ** 2


def _weight(means: Sequence[Mean]) -> float:
    return math.fsum(each.weight for each in means)


def _squared_weight(means: Sequence[Mean]) -> float:
    return math.fsum(each.weight**2 for each in means)
