"""What a node would have measured of versions that behave in their ways."""

import pytest

from ganglion.testing.world.habits import Habit, counts, counts_of_trial

SOURING = Habit(soured_after_s=180.0, soured=Habit(errors=1.0, agreement=0.0))


@pytest.mark.parametrize("elapsed_s", [0.0, 60.0, 180.0])
def test_a_version_that_has_not_soured_yet_is_as_it_always_was(elapsed_s: float) -> None:
    seen = counts_of_trial(SOURING, requests=100, compared=40, elapsed_s=elapsed_s)

    assert seen == counts(SOURING, requests=100, compared=40)


def test_a_version_that_soured_after_three_of_four_minutes_has_a_quarter_of_its_answers_spoilt() -> None:
    seen = counts_of_trial(SOURING, requests=1000, compared=400, elapsed_s=240.0)

    assert (seen.requests, seen.errors) == (1000, 250)
    assert (seen.compared, seen.agreed) == (400, round(300 * SOURING.agreement))
