import math

import pytest

from ganglion.core import quality_counts
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import InvalidRequest
from ganglion.core.quality_counts import BINS, EDGES, MEASURES_MAX, bin_of


def test_exactly_nothing_has_a_bin_of_its_own() -> None:
    assert (bin_of("change", 0.0), bin_of("change", 1e-9)) == (0, 1)
    assert (bin_of("missing", 0.0), bin_of("missing", 1e-9)) == (0, 1)


@pytest.mark.parametrize("measure", EDGES)
def test_every_value_has_a_bin_and_larger_ones_no_lower_one(measure: str) -> None:
    bins = [bin_of(measure, value) for value in (-1.0, 0.0, 1e-6, 1e-3, 0.1, 0.5, 1.0, 1e9, math.inf)]

    assert bins == sorted(bins)
    assert (bins[0], bins[-1]) == (0, BINS - 1)


def test_the_edges_are_as_many_as_the_bins_need_and_ascend() -> None:
    assert all(len(edges) == BINS - 1 and list(edges) == sorted(edges) for edges in EDGES.values())


def test_a_measure_of_one_input_among_several_has_the_edges_of_the_measure() -> None:
    assert bin_of("camera.sharpness", 1e-4) == bin_of("sharpness", 1e-4)


def test_what_is_no_number_and_what_nobody_knows_are_counted_somewhere() -> None:
    assert (bin_of("sharpness", math.nan), bin_of("glare", 0.0)) == (0, 0)


def test_counts_add_up_in_any_order() -> None:
    one, other = Behaviour(), Behaviour()
    one.count_quality({"brightness": 0.5})
    other.count_quality({"brightness": 0.5, "missing": 0.0})

    first, second = Behaviour(), Behaviour()
    for behaviour, parts in ((first, (one, other)), (second, (other, one))):
        for part in parts:
            behaviour.merge(part)

    assert first.quality == second.quality
    assert sum(first.quality["brightness"]) == 2


def test_a_merge_changes_only_what_is_merged_into() -> None:
    total, part = Behaviour(), Behaviour()
    part.count_quality({"brightness": 0.5})
    total.merge(part)

    total.merge(part)

    assert sum(part.quality["brightness"]) == 1


def test_names_beyond_the_limit_are_left_out() -> None:
    counted: dict[str, list[int]] = {}
    for number in range(MEASURES_MAX + 5):
        quality_counts.count(counted, {f"m{number}": 0.0})

    assert len(counted) == MEASURES_MAX
    quality_counts.check(counted)


@pytest.mark.parametrize(
    "counts",
    [
        {"sharpness": [0] * (BINS - 1)},
        {"sharpness": [-1] + [0] * (BINS - 1)},
        {"sharpness": [2**60] + [0] * (BINS - 1)},
        {"x" * 200: [0] * BINS},
        {str(number): [0] * BINS for number in range(MEASURES_MAX + 1)},
    ],
)
def test_counts_that_no_counting_makes_are_refused(counts: dict[str, list[int]]) -> None:
    behaviour = Behaviour(quality=counts)

    with pytest.raises(InvalidRequest):
        behaviour.check()
