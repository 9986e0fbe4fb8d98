"""How versions behave, as counts: what a node and its hub would have measured of so many answers."""

import math
from dataclasses import dataclass

from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.core.histogram import Histogram

_CLASSES = 10
_FAST, _USUAL, _SLOW = 300, 320, 384
"""Buckets of about 0.7, 1 and 4 milliseconds."""
_SURE, _UNSURE = CONFIDENCE_BINS - 2, CONFIDENCE_BINS // 2


@dataclass(frozen=True, slots=True)
class Habit:
    """What a version does wherever it runs."""

    errors: float = 0.0
    agreement: float = 0.97
    """Share of answers that are those of any other version."""
    slower: int = 0
    """Buckets of the histogram: 32 are twice as slow."""
    sure: float = 0.8
    """Share of answers with a high confidence."""
    one_site: bool = False
    """It shows on the first site alone."""
    crashes: bool = False
    """It takes the serving process down under traffic."""
    crashes_at_load: bool = False
    """It takes the serving process down before it has answered anything."""
    soured_after_s: float = math.inf
    """From then on it is `soured` on each node: that long after it began to answer there. Only the node measures it."""
    soured: "Habit | None" = None


HABITS = {
    "good": Habit(),
    "crash": Habit(crashes=True),
    "slow": Habit(slower=128),
    "wrong_on_one_site": Habit(agreement=0.2, one_site=True),
    "confident_and_wrong": Habit(agreement=0.1, sure=1.0),
}
_GOOD = HABITS["good"]


def seen_at(habit: Habit, site: int) -> Habit:
    """Return the habit as a site sees it."""
    return _GOOD if habit.one_site and site else habit


def counts_of_trial(habit: Habit, *, requests: int, compared: int, elapsed_s: float) -> Behaviour:
    """Return the counts of a version that has answered for `elapsed_s`, evenly, and may have soured meanwhile."""
    if habit.soured is None or elapsed_s <= habit.soured_after_s:
        return counts(habit, requests=requests, compared=compared)
    share = 1.0 - habit.soured_after_s / elapsed_s
    late, late_compared = round(requests * share), round(compared * share)
    behaviour = counts(habit, requests=requests - late, compared=compared - late_compared)
    behaviour.merge(counts(habit.soured, requests=late, compared=late_compared))
    return behaviour


def counts(habit: Habit, *, requests: int, compared: int) -> Behaviour:
    """Return the counts of `requests` answers, `compared` of which the version before answered, too."""
    errors = round(requests * habit.errors)
    answers = requests - errors
    confidence = [0] * CONFIDENCE_BINS
    confidence[_SURE] = round(answers * habit.sure)
    confidence[_UNSURE] = answers - confidence[_SURE]
    each, rest = divmod(answers, _CLASSES)
    return Behaviour(
        requests=requests,
        errors=errors,
        latency_us=_latencies(answers, habit.slower),
        confidence=confidence,
        classes={str(label): each + (label < rest) for label in range(_CLASSES) if each or label < rest},
        compared=compared,
        agreed=round(compared * habit.agreement),
        compared_latency_us=_latencies(compared, 0),
    )


def _latencies(number: int, slower: int) -> Histogram:
    slow, fast = number // 200, number // 2
    parts = {_FAST + slower: fast, _USUAL + slower: number - fast - slow, _SLOW + slower: slow}
    return Histogram(buckets={index: count for index, count in parts.items() if count}, total=float(number * 1000))
