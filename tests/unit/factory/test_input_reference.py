"""Edges of input histograms: from held-out values to what a package carries."""

import math

import numpy as np
import pytest

from ganglion.core import input_counts, input_values
from ganglion.core.input_counts import HISTOGRAMS_MAX, NAME_LENGTH_MAX
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor
from ganglion.factory.steps.input_reference import histogram_of, input_reference


def table(*columns: list[float]) -> Tensor:
    return np.array(columns, np.float32).T


def test_each_bin_holds_about_a_tenth_of_the_values() -> None:
    figures = np.random.default_rng(1).lognormal(size=1000)

    histogram = histogram_of(figures)

    assert histogram is not None
    assert len(histogram.counts) == 10
    assert sum(histogram.counts) == 1000
    assert all(80 <= count <= 120 for count in histogram.counts)


def test_a_constant_has_one_bin_that_holds_it_and_nothing_else() -> None:
    histogram = histogram_of(np.full(50, 0.3))

    assert histogram is not None
    assert histogram.counts == (50,)
    assert [input_counts.bin_of(histogram.edges, value) for value in (0.29, 0.3, 0.31)] == [0, 1, 2]


def test_values_that_are_met_rarely_are_parted_from_one_that_is_met_often() -> None:
    histogram = histogram_of(np.array([0.0] * 95 + [1.0, 2.0, 3.0, 4.0, 5.0]))

    assert histogram is not None
    assert histogram.counts == (95, 1, 1, 1, 1, 1)


def test_values_that_are_not_finite_count_for_nothing() -> None:
    histogram = histogram_of(np.array([math.nan, 1.0, math.inf, -math.inf]))

    assert histogram is not None
    assert histogram.counts == (1,)
    assert histogram_of(np.array([math.nan])) is None


def test_columns_without_a_value_have_no_histogram() -> None:
    spec = TensorSpec("x", "FP32", (-1, 2))

    made = input_reference((spec,), {"x": table([math.nan] * 4, [1, 2, 3, 4])})

    assert list(made) == ["x[1]"]


def test_the_largest_number_that_there_is_cannot_be_counted() -> None:
    made = input_reference((TensorSpec("x", "FP64", (-1, 1)),), {"x": np.array([[1.0], [np.finfo(np.float64).max]])})

    assert made == {}


def test_histograms_are_at_most_as_many_as_the_limit_and_long_names_have_none() -> None:
    wide = [TensorSpec(name, "FP32", (-1, 30)) for name in ("a", "b", "c", "n" * NAME_LENGTH_MAX)]
    rows = {spec.name: np.zeros((4, 30), np.float32) for spec in wide}

    assert len(input_reference(wide, rows)) == HISTOGRAMS_MAX
    assert input_reference(wide[-1:], rows) == {}


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, np.bool_])
def test_counting_the_held_out_rows_again_gives_the_reference(dtype: type) -> None:
    spec = TensorSpec("x", "FP32", (-1, 3))
    rows: Tensor = np.random.default_rng(2).normal(0.0, 5.0, (300, 3)).clip(0).astype(dtype)
    reference = input_reference((spec,), {"x": rows})

    counted: dict[str, list[int]] = {}
    for at in range(len(rows)):
        input_counts.count(counted, input_values.bins((spec,), {"x": rows[at : at + 1]}, reference))

    assert counted == {name: [0, *histogram.counts, 0] for name, histogram in reference.items()}
