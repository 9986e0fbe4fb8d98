import math

import numpy as np
import pytest

from ganglion.core import input_values
from ganglion.core.input_counts import FEATURES_MAX
from ganglion.core.manifest import HistogramReference, TensorSpec
from ganglion.core.steps import Tensor, bytes_tensor

TABLE = TensorSpec("x", "FP32", (-1, 2))
UNIT = HistogramReference((0.0, 0.5, 1.0), (1, 1))


def named(spec: TensorSpec, tensor: Tensor) -> dict[str, list[float]]:
    return {name: figures.tolist() for name, figures in input_values.values(spec, tensor).items()}


def test_each_column_of_a_small_table_is_a_figure() -> None:
    assert named(TABLE, np.array([[1, 2], [3, 4]], np.float32)) == {"x[0]": [1.0, 3.0], "x[1]": [2.0, 4.0]}


def test_the_values_of_a_row_without_a_batch_are_figures() -> None:
    assert named(TensorSpec("x", "FP32", (3,)), np.array([1, 2, 3])) == {"x[0]": [1.0], "x[1]": [2.0], "x[2]": [3.0]}


@pytest.mark.parametrize("shape", [(2, FEATURES_MAX + 1), (2, 4, 4, 3), (2, 5, 1), (2,)])
def test_anything_larger_is_counted_by_the_mean_of_each_row(shape: tuple[int, ...]) -> None:
    tensor = np.zeros(shape, np.uint8)
    tensor[1] = 200

    assert named(TensorSpec("x", "UINT8", (-1, *shape[1:])), tensor) == {"x": [0.0, 200.0]}


def test_of_a_huge_row_only_a_part_is_read() -> None:
    picture = np.zeros((1, 1000, 1000), np.uint8)
    picture[:, 500:] = 100

    (mean,) = named(TensorSpec("x", "UINT8", (-1, -1, -1)), picture)["x"]

    assert mean == pytest.approx(50.0, abs=0.1)


def test_half_precision_does_not_overflow_in_a_mean() -> None:
    assert named(TensorSpec("x", "FP16", (-1, 50)), np.full((1, 50), 60_000, np.float16)) == {"x": [60_000.0]}


@pytest.mark.parametrize("tensor", [bytes_tensor([b"a file"]), np.zeros((0, 2), np.float32)])
def test_an_input_without_numbers_has_no_figures(tensor: Tensor) -> None:
    assert named(TABLE, tensor) == {}


def test_the_first_row_has_a_bin_in_each_histogram_of_the_reference() -> None:
    inputs = {"x": np.array([[0.7, 9.0], [0.1, 0.1]], np.float32)}

    found = input_values.bins((TABLE,), inputs, {"x[0]": UNIT, "x[1]": UNIT, "z": UNIT})

    assert found == {"x[0]": (2, 4), "x[1]": (3, 4)}


def test_what_is_no_number_has_no_bin_and_the_infinite_has_the_last() -> None:
    inputs = {"x": np.array([[math.nan, math.inf]], np.float32)}

    assert input_values.bins((TABLE,), inputs, {"x[0]": UNIT, "x[1]": UNIT}) == {"x[1]": (3, 4)}


def test_a_mean_of_both_infinities_has_no_bin() -> None:
    series = TensorSpec("x", "FP32", (-1, 2, 1))

    assert input_values.bins((series,), {"x": np.array([[[math.inf], [-math.inf]]])}, {"x": UNIT}) == {}


@pytest.mark.parametrize("inputs", [{}, {"x": np.zeros((0, 2), np.float32)}, {"x": np.zeros((1, 7), np.float32)}])
def test_inputs_of_another_shape_than_the_references_have_no_bin(inputs: dict[str, Tensor]) -> None:
    assert input_values.bins((TABLE,), inputs, {"x": UNIT}) == {}


def test_numbers_that_signal_an_error_are_looked_at_in_silence() -> None:
    signalling = np.frombuffer(b"\x01\x00\x80\x7f" * 2, np.float32).reshape(1, 2)

    assert input_values.bins((TABLE,), {"x": signalling}, {"x[0]": UNIT, "x[1]": UNIT}) == {}
