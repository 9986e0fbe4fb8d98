import math

import pytest

from ganglion.core.errors import Rejected
from ganglion.core.histogram import Histogram


def histogram_of(*values: float) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_a_quantile_is_within_its_stated_error() -> None:
    histogram = histogram_of(*range(1, 1001))

    assert histogram.quantile(0.5) == pytest.approx(500, rel=0.011)
    assert histogram.quantile(0.99) == pytest.approx(990, rel=0.011)


def test_a_power_of_two_closes_its_bucket() -> None:
    assert histogram_of(1.0).buckets == {-1: 1}
    assert histogram_of(math.nextafter(1.0, 2.0)).buckets == {0: 1}


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_what_has_no_logarithm_is_counted_as_zero(value: float) -> None:
    histogram = histogram_of(value)

    assert (histogram.zeros, histogram.count, histogram.quantile(1.0)) == (1, 1, 0.0)


def test_extreme_values_share_the_outermost_buckets() -> None:
    histogram = histogram_of(1e-300, 1e-200, 1e200, 1e300)

    assert sorted(histogram.buckets.values()) == [2, 2]


def test_merging_adds_counts_zeros_and_totals() -> None:
    first, second = histogram_of(1.0, 0.0), histogram_of(1.0, 8.0)

    first.merge(second)

    assert first == histogram_of(1.0, 0.0, 1.0, 8.0)


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(Rejected, match="nothing"):
        Histogram().quantile(0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(Rejected):
        histogram_of(1.0).quantile(share)
