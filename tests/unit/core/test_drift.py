import pytest

from ganglion.core.drift import compare, wilson_interval
from ganglion.core.errors import Rejected


def test_the_same_shares_are_no_shift_at_any_size() -> None:
    assert not compare([500, 300, 200], [50, 30, 20]).is_shifted
    assert not compare([500, 300, 200], [5, 3, 2]).is_shifted


def test_turned_around_shares_are_a_shift() -> None:
    assert compare([800, 150, 50], [50, 150, 800]).is_shifted


def test_a_small_sample_needs_a_larger_difference() -> None:
    large, small = compare([500, 500], [600, 400]), compare([5, 5], [6, 4])

    assert small.threshold > large.threshold
    assert not small.is_shifted


def test_a_tiny_difference_in_a_huge_sample_is_no_alarm() -> None:
    assert not compare([500_000, 500_000], [505_000, 495_000]).is_shifted


def test_an_empty_bin_does_not_make_the_index_infinite() -> None:
    assert compare([100, 0], [0, 100]).psi < 100


@pytest.mark.parametrize(("reference", "live"), [([1], [1]), ([1, 2], [1, 2, 3]), ([0, 0], [1, 1]), ([1, 1], [0, 0])])
def test_what_cannot_be_compared_is_refused(reference: list[int], live: list[int]) -> None:
    with pytest.raises(Rejected):
        compare(reference, live)


def test_the_wilson_interval_holds_the_share_and_stays_within_0_and_1() -> None:
    low, high = wilson_interval(0, 20)
    assert low == pytest.approx(0.0, abs=1e-12)
    assert 0.0 < high < 1.0

    low, high = wilson_interval(10, 20)
    assert low < 0.5 < high


def test_nothing_tried_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_more_trials_narrow_the_interval() -> None:
    few, many = wilson_interval(5, 10), wilson_interval(500, 1000)

    assert many[1] - many[0] < few[1] - few[0]
