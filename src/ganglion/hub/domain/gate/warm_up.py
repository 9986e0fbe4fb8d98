"""Slow first answers of a version on a node: caches fill, memory is mapped, kernels are chosen.

Counts do not say in which order answers came, but in which hour. So what is excused is bounded twice: by the hours
in which a node's first answers lie, and by their number.
"""

import math
from collections.abc import Mapping

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import SCALE, Histogram

WARM_UP_ANSWERS = 100
"""First answers of each node that may be slow."""
_ROUNDING = 1e-9


def first_above(limit_us: float) -> int:
    """Return the first bucket whose values certainly lie above a limit (> 0): it begins there or later."""
    return math.ceil(math.log2(limit_us) * (1 << SCALE) - _ROUNDING)


def warmed(hours: Mapping[int, Behaviour], total: Histogram, limit_us: float) -> Histogram:
    """Return a node's latencies without its slow first answers: at most so many, and only those above the limit.

    `total` is the sum over the hours; it is left as it is.
    """
    if limit_us <= 0.0:
        return total
    above = first_above(limit_us)
    if max(total.buckets, default=above) < above:
        return total
    excused: dict[int, int] = {}
    left = WARM_UP_ANSWERS
    for hour in _first(hours):
        latency = hours[hour].latency_us
        for index in sorted((index for index in latency.buckets if index >= above), reverse=True):
            number = min(left, latency.buckets[index])
            excused[index] = excused.get(index, 0) + number
            left -= number
    buckets = {index: count - excused.get(index, 0) for index, count in total.buckets.items()}
    return Histogram(buckets=buckets, zeros=total.zeros, total=total.total)


def later(hours: Mapping[int, Behaviour]) -> Histogram:
    """Return a node's latencies of the hours after those in which its first answers lie."""
    first, found = set(_first(hours)), Histogram()
    for hour, behaviour in hours.items():
        if hour not in first:
            found.merge(behaviour.latency_us)
    return found


def _first(hours: Mapping[int, Behaviour]) -> list[int]:
    first, answers = [], 0
    for hour in sorted(hours):
        if answers >= WARM_UP_ANSWERS:
            break
        first.append(hour)
        answers += hours[hour].requests
    return first
