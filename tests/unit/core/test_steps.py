"""What all steps have in common, and those that work on tensors of any meaning."""

import re
from typing import Any

import msgspec
import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import (
    Cast,
    Clip,
    Context,
    Keep,
    Normalise,
    Rename,
    Reshape,
    Scale,
    Select,
    Step,
    Tensor,
    Transpose,
)
from unit.core.builders import rows


def applied(step: Step, tensor: Tensor) -> Tensor:
    return steps.apply([step], {"x": tensor})["x"]


def parsed(**fields: object) -> Step:
    step: Step = msgspec.convert({"tensor": "x", **fields}, Step)
    return step


# --- steps in general -----------------------------------------------------------------------------


def test_no_step_changes_nothing() -> None:
    tensors = {"x": rows((1, 2))}

    assert steps.apply([], tensors) is tensors


def test_steps_run_in_order() -> None:
    tensors = steps.apply([Scale("x", 2.0), Scale("x", 1.0, 1.0)], {"x": rows((3.0,))})

    assert tensors["x"].tolist() == [[7.0]]


def test_the_callers_tensors_stay_as_they_were() -> None:
    tensors = {"x": rows((3.0,))}

    steps.apply([Scale("x", 2.0), Rename("x", "y")], tensors)

    assert tensors["x"].tolist() == [[3.0]]


def test_a_step_on_a_tensor_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="scale: there is no tensor 'y'"):
        steps.apply([Scale("y", 2.0)], {"x": rows((1.0,))})


@pytest.mark.parametrize(
    "step",
    [Reshape("x", (5, 5)), Transpose("x", (0, 1, 2)), Normalise("x", (1.0, 2.0), (1.0, 1.0)), Select("x", (7,))],
)
def test_a_step_that_does_not_fit_the_shape_is_refused_by_name(step: Step) -> None:
    with pytest.raises(InvalidRequest, match=f"step {step.kind} on 'x'"):
        applied(step, rows((1, 2, 3)))


@pytest.mark.parametrize("step", [Scale("x", 2.0), Clip("x", 0, 1), Cast("x", "INT8"), Reshape("x", (1,))])
def test_bytes_are_no_numbers(step: Step) -> None:
    with pytest.raises(InvalidRequest, match="BYTES, not numbers"):
        applied(step, steps.bytes_tensor([b"1"]))


def test_numbers_out_of_range_are_no_reason_to_warn_anybody() -> None:
    assert applied(Scale("x", 1e30), rows((1e20,))).tolist() == [[np.inf]]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"step": "sharpen"}, "Invalid value 'sharpen'"),
        ({"step": "scale", "factor": 1, "colour": "red"}, "unknown field `colour`"),
        ({"step": "scale"}, "missing required field `factor`"),
        ({"step": "scale", "factor": float("inf")}, "<= 1e"),
        ({"step": "scale", "factor": float("nan")}, "Expected `float`"),
        ({"step": "normalise", "mean": [1], "std": [0]}, "no std may be 0"),
        ({"step": "normalise", "mean": [1, 2], "std": [1]}, "the same length"),
        ({"step": "normalise", "mean": [], "std": []}, "length >= 1"),
        ({"step": "clip", "low": 2, "high": 1}, "low must not be above high"),
        ({"step": "cast", "datatype": "BYTES"}, "Invalid enum value 'BYTES'"),
        ({"step": "cast", "datatype": "INT8", "rounding": "up"}, "Invalid enum value 'up'"),
        ({"step": "reshape", "row": [-1, -1]}, "at most one size"),
        ({"step": "reshape", "row": [-2]}, ">= -1"),
        ({"step": "transpose", "axes": [0, 2]}, "each dimension once"),
        ({"step": "select", "indices": [1], "axis": 0}, "axis 0 is the batch"),
        ({"step": "select", "indices": [-1]}, ">= 0"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_when_it_is_parsed(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape(reason)):
        parsed(**fields)


def test_the_first_tensor_that_no_step_will_find_is_known_beforehand() -> None:
    made: list[Step] = [Rename("image", "x"), Scale("x", 1.0), Scale("image", 1.0)]

    assert steps.missing_name(made, ["image"]) == "image"
    assert steps.missing_name(made[:2], ["image"]) == ""
    assert steps.missing_name(made[:2], ["x"]) == "image"


def test_what_clients_call_a_tensor_is_found_through_its_names() -> None:
    chain = (Scale("a", 1.0), Rename("a", "b"), Scale("b", 2.0), Scale("other", 1.0), Rename("b", "c"))

    assert steps.sent_as(chain, "c") == ("a", (chain[0], chain[2]))
    assert steps.sent_as(chain, "other") == ("other", (chain[3],))
    assert steps.sent_as((), "c") == ("c", ())


# --- arithmetic -----------------------------------------------------------------------------------


def test_scale_gives_fp32_whatever_came_in() -> None:
    scaled = applied(Scale("x", 1 / 16, 1.0), np.array([[0, 16]], np.uint8))

    assert scaled.dtype == np.float32
    assert scaled.tolist() == [[1.0, 2.0]]


def test_normalise_works_along_the_channel_axis() -> None:
    image = np.ones((1, 2, 2, 2), np.uint8)

    normalised = applied(Normalise("x", mean=(0.0, 1.0), std=(1.0, 2.0), axis=1), image)

    assert normalised[0, :, 0, 0].tolist() == [1.0, 0.0]


def test_clip_limits_values() -> None:
    assert applied(Clip("x", 0.0, 1.0), rows((-1, 2))).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("step", "values", "expected"),
    [
        (Cast("x", "UINT8"), (3.9, 256.0, -1.0, np.nan, np.inf), [3, 255, 0, 0, 255]),
        (Cast("x", "INT8", rounding="nearest"), (0.5, 1.5, -128.6, 127.6, -np.inf), [0, 2, -128, 127, -128]),
        (Cast("x", "INT32"), (3e9, -3e9, 7.0, 0.0, 0.0), [2**31 - 1, -(2**31), 7, 0, 0]),
        (Cast("x", "INT64"), (1e30, -1e30, 7.0, 0.0, 0.0), [2**63 - 1, -(2**63), 7, 0, 0]),
        (Cast("x", "UINT64"), (1e30, -1e30, 7.0, 0.0, 0.0), [2**64 - 1, 0, 7, 0, 0]),
    ],
)
def test_a_cast_to_integers_takes_the_nearest_that_there_is(
    step: Step, values: tuple[float, ...], expected: list[int]
) -> None:
    assert applied(step, rows(values)).tolist() == [expected]


def test_a_cast_between_integers_never_wraps_around() -> None:
    assert applied(Cast("x", "INT8"), np.array([[200, 100]], np.uint8)).tolist() == [[127, 100]]
    assert applied(Cast("x", "UINT64"), np.array([[-5, 5]], np.int64)).tolist() == [[0, 5]]
    assert applied(Cast("x", "INT64"), np.array([[2**64 - 1]], np.uint64)).tolist() == [[2**63 - 1]]
    assert applied(Cast("x", "UINT8"), np.array([[True, False]])).tolist() == [[1, 0]]


def test_a_cast_to_floats_converts() -> None:
    assert applied(Cast("x", "FP16"), np.array([[1, 2]], np.int8)).dtype == np.float16


# --- shape and names ------------------------------------------------------------------------------


def test_reshape_and_transpose_keep_the_rows() -> None:
    assert applied(Reshape("x", (2, 2)), rows((1, 2, 3, 4))).shape == (1, 2, 2)
    assert applied(Reshape("x", (2, -1)), rows((1, 2, 3, 4, 5, 6))).shape == (1, 2, 3)
    assert applied(Transpose("x", (0, 2, 1)), np.zeros((5, 2, 3), np.float32)).shape == (5, 3, 2)


def test_select_keeps_places_in_the_order_given() -> None:
    assert applied(Select("x", (2, 0)), rows((1, 2, 3), (4, 5, 6))).tolist() == [[3, 1], [6, 4]]


def test_rename_moves_a_tensor_and_refuses_to_replace_another() -> None:
    tensors = {"image": rows((1.0,)), "input": rows((2.0,))}

    assert steps.apply([Rename("image", "input.1")], tensors).keys() == {"input.1", "input"}
    with pytest.raises(InvalidRequest, match="there is a tensor 'input' already"):
        steps.apply([Rename("image", "input")], tensors)


def test_what_is_kept_stays_as_it_was_and_reaches_no_model() -> None:
    context = Context()

    tensors = steps.apply([Keep("x", "before"), Scale("x", 2.0)], {"x": rows((3.0,))}, context)

    assert tensors.keys() == {"x"}
    assert context.kept["before"].tolist() == [[3.0]]
