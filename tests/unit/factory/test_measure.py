from collections.abc import Iterator
from itertools import cycle, repeat

import pytest

from ganglion.core.steps import Tensors
from ganglion.factory.steps.measure import MeasureSettings, race
from ganglion.testing.clock import FakeClock

SETTINGS = MeasureSettings(rounds=9, calls_per_round=5)


class TimedEngine:
    """Takes the time that it is told, call by call."""

    def __init__(self, clock: FakeClock, seconds: Iterator[float], log: list[str] | None = None) -> None:
        self._clock, self._seconds, self._log = clock, seconds, log if log is not None else []

    def infer(self, feeds: Tensors) -> Tensors:
        self._log.append("call")
        self._clock.advance(next(self._seconds))
        return feeds


def test_the_ratio_is_how_many_times_faster_the_candidate_is(clock: FakeClock) -> None:
    reference, candidate = TimedEngine(clock, repeat(3e-6)), TimedEngine(clock, repeat(2e-6))

    result = race(reference, candidate, {}, clock=clock, settings=SETTINGS)

    assert result.speed_ratio == pytest.approx(1.5)
    assert (result.reference_us, result.candidate_us) == pytest.approx((3.0, 2.0))


def test_calls_that_were_disturbed_do_not_count(clock: FakeClock) -> None:
    disturbed = cycle([50e-6, 2e-6, 90e-6, 2e-6, 70e-6])
    reference, candidate = TimedEngine(clock, repeat(3e-6)), TimedEngine(clock, disturbed)

    assert race(reference, candidate, {}, clock=clock, settings=SETTINGS).speed_ratio == pytest.approx(1.5)


def test_rounds_alternate_so_that_both_meet_the_same_machine(clock: FakeClock) -> None:
    # The machine gets ten times slower for the third and fourth of nine rounds, for both models alike.
    calls = SETTINGS.calls_per_round
    slow = [1.0] * calls * 3 + [10.0] * calls * 2 + [1.0] * calls * 5
    reference = TimedEngine(clock, iter([3e-6 * factor for factor in slow]))
    candidate = TimedEngine(clock, iter([2e-6 * factor for factor in slow]))

    assert race(reference, candidate, {}, clock=clock, settings=SETTINGS).speed_ratio == pytest.approx(1.5)


def test_both_are_warmed_before_the_first_round(clock: FakeClock) -> None:
    log: list[str] = []
    calls = SETTINGS.calls_per_round
    cold = iter([1.0] * calls + [2e-6] * calls * SETTINGS.rounds)

    result = race(TimedEngine(clock, repeat(3e-6)), TimedEngine(clock, cold, log), {}, clock=clock, settings=SETTINGS)

    assert result.candidate_us == pytest.approx(2.0)
    assert len(log) == calls * (1 + SETTINGS.rounds)
