from collections.abc import Sequence

import numpy as np
import pytest

from ganglion.core import made_up
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import DTYPES


def shapes(specs: Sequence[TensorSpec]) -> list[tuple[tuple[int, ...], ...]]:
    """Return the shapes of every candidate, in the order of the specs."""
    return [tuple(tensors[spec.name].shape for spec in specs) for tensors in made_up.candidates(specs)]


def test_the_same_specs_give_the_same_tensors() -> None:
    specs = [TensorSpec("x", "FP32", (-1, 3)), TensorSpec("pixels", "UINT8", (-1, 8, 8))]

    first, second = made_up.make_up(specs, rows=4), made_up.make_up(specs, rows=4)

    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert first["pixels"].max() > 100


@pytest.mark.parametrize("datatype", ["BOOL", "UINT8", "INT8", "INT64", "FP16", "FP32", "FP64"])
def test_tensors_have_the_declared_type(datatype: str) -> None:
    spec = TensorSpec("x", datatype, (-1, 3))  # type: ignore[arg-type] # parametrised with names of the type

    assert made_up.make_up([spec], rows=2)["x"].dtype == DTYPES[datatype]


def test_whole_numbers_are_zero_because_they_may_be_indices() -> None:
    assert not made_up.make_up([TensorSpec("token", "INT64", (-1, 5))], rows=2)["token"].any()


def test_one_input_without_a_batch_means_a_single_row_for_all() -> None:
    specs = [TensorSpec("x", "FP32", (-1, 3)), TensorSpec("state", "FP32", (2, 1, 4))]

    tensors = made_up.make_up(specs, rows=4)

    assert tensors["x"].shape == (1, 3)
    assert tensors["state"].shape == (2, 1, 4)


def test_a_model_that_says_all_its_sizes_is_tried_once() -> None:
    assert shapes([TensorSpec("x", "FP32", (-1, 3))]) == [((1, 3),)]


def test_open_sizes_are_tried_in_turn() -> None:
    tried = shapes([TensorSpec("image", "FP32", (-1, 3, -1, -1))])

    assert tried[0] == ((1, 3, 1, 1),)
    assert ((1, 3, 224, 224),) in tried


def test_what_is_open_inside_a_recurrent_state_is_the_batch_and_stays_one() -> None:
    specs = [TensorSpec("audio", "FP32", (-1, -1)), TensorSpec("state", "FP32", (2, -1, 128))]

    assert ((1, 256), (2, 1, 128)) in shapes(specs)


def test_a_series_is_tried_with_several_lengths() -> None:
    assert ((512,),) in shapes([TensorSpec("signal", "FP32", (-1,), layout="T")])


def test_a_scalar_is_a_scalar() -> None:
    assert shapes([TensorSpec("rate", "INT64", ())]) == [((),)]


def test_what_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too large"):
        made_up.make_up([TensorSpec("x", "FP32", (1, 1 << 40))], rows=1)
