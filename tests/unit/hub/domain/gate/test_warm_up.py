"""Slow first answers are excused: so many, in the hours in which they lie, and no more."""

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.hub.domain.gate.speed_rules import count_above
from ganglion.hub.domain.gate.warm_up import WARM_UP_ANSWERS, later, warmed

LIMIT_US = 10_000.0
SLOW_US, FAST_US = 50_000.0, 5_000.0


def hour(*, fast: int = 0, slow: int = 0) -> Behaviour:
    latency = Histogram()
    for value, count in ((FAST_US, fast), (SLOW_US, slow)):
        if count:
            latency.add(value, count)
    return Behaviour(requests=fast + slow, latency_us=latency)


def slow_left(*hours: Behaviour) -> int:
    """Return the slow answers that still count, of a node that worked in these hours one after the other."""
    total = Histogram()
    for behaviour in hours:
        total.merge(behaviour.latency_us)
    return count_above(warmed(dict(enumerate(hours)), total, LIMIT_US), LIMIT_US)


@pytest.mark.parametrize(("slow", "left"), [(0, 0), (1, 0), (WARM_UP_ANSWERS, 0), (WARM_UP_ANSWERS + 7, 7)])
def test_so_many_slow_answers_of_the_first_hour_are_excused(slow: int, left: int) -> None:
    assert slow_left(hour(fast=500, slow=slow)) == left


def test_slow_answers_of_later_hours_count() -> None:
    assert slow_left(hour(fast=500, slow=20), hour(fast=500, slow=30)) == 30


def test_the_first_answers_of_a_quiet_node_lie_in_several_hours() -> None:
    assert slow_left(hour(slow=60), hour(slow=40, fast=10), hour(slow=5)) == 5


def test_fast_answers_are_never_taken_away() -> None:
    mixed = hour(fast=40, slow=10)

    kept = warmed({7: mixed}, mixed.latency_us, LIMIT_US)

    assert kept.count == 40
    assert mixed.latency_us.count == 50


def test_later_answers_are_those_after_the_hours_of_the_first() -> None:
    hours = {5: hour(fast=30), 6: hour(fast=80), 7: hour(fast=11), 9: hour(fast=4)}

    assert later(hours).count == 15
    assert later({5: hour(fast=900)}).count == 0


def test_nothing_is_excused_where_the_old_version_took_no_time_at_all() -> None:
    slow = hour(slow=50)

    assert warmed({7: slow}, slow.latency_us, 0.0).count == 50
