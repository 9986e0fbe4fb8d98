import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Cast, Clip, Normalise, Reshape, Scale, Sigmoid, Softmax, Step, Tensor, Transpose
from unit.core.builders import rows


def applied(step: Step, tensor: Tensor) -> Tensor:
    return steps.apply([step], {"x": tensor})["x"]


def test_no_step_changes_nothing() -> None:
    tensors = {"x": rows((1, 2))}

    assert steps.apply([], tensors) is tensors


def test_scale_gives_fp32_whatever_came_in() -> None:
    scaled = applied(Scale("x", 1 / 16, 1.0), np.array([[0, 16]], np.uint8))

    assert scaled.dtype == np.float32
    assert scaled.tolist() == [[1.0, 2.0]]


def test_normalise_works_along_the_channel_axis() -> None:
    image = np.ones((1, 2, 2, 2), np.uint8)

    normalised = applied(Normalise("x", mean=(0.0, 1.0), std=(1.0, 2.0), axis=1), image)

    assert normalised[0, :, 0, 0].tolist() == [1.0, 0.0]


def test_clip_and_cast_and_reshape_and_transpose() -> None:
    assert applied(Clip("x", 0.0, 1.0), rows((-1, 2))).tolist() == [[0.0, 1.0]]
    assert applied(Cast("x", "UINT8"), rows((3, 4))).dtype == np.uint8
    assert applied(Reshape("x", (2, 2)), rows((1, 2, 3, 4))).shape == (1, 2, 2)
    assert applied(Transpose("x", (0, 2, 1)), np.zeros((5, 2, 3), np.float32)).shape == (5, 3, 2)


def test_softmax_survives_scores_that_would_overflow() -> None:
    probabilities = applied(Softmax("x"), rows((1000.0, 1000.0), (-1000.0, 1000.0)))

    assert np.allclose(probabilities, [[0.5, 0.5], [0.0, 1.0]])


def test_sigmoid_treats_each_score_alone() -> None:
    assert np.allclose(applied(Sigmoid("x"), rows((0.0, 100.0))), [[0.5, 1.0]])


def test_steps_run_in_order() -> None:
    tensors = steps.apply([Scale("x", 2.0), Scale("x", 1.0, 1.0)], {"x": rows((3.0,))})

    assert tensors["x"].tolist() == [[7.0]]


def test_the_callers_tensors_stay_as_they_were() -> None:
    tensors = {"x": rows((3.0,))}

    steps.apply([Scale("x", 2.0)], tensors)

    assert tensors["x"].tolist() == [[3.0]]


def test_a_step_on_a_tensor_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="scale: there is no tensor 'y'"):
        steps.apply([Scale("y", 2.0)], {"x": rows((1.0,))})


@pytest.mark.parametrize(
    "step",
    [Reshape("x", (5, 5)), Transpose("x", (0, 1, 2)), Normalise("x", (1.0, 2.0), (1.0, 1.0))],
)
def test_a_step_that_does_not_fit_the_shape_is_refused(step: Step) -> None:
    with pytest.raises(InvalidRequest, match="on 'x'"):
        applied(step, rows((1, 2, 3)))


def test_every_datatype_has_one_element_type_and_back() -> None:
    assert {steps.DATATYPES[dtype]: dtype for dtype in steps.DTYPES.values()} == steps.DTYPES
