"""Detectors: from grids and anchors to boxes in the client's image."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import AnchorBoxes, Context, DecodeImage, Detect, GridBoxes, Resize, Step, Tensor
from unit.core.pictures import colours, png

Row = tuple[float, list[float]]
Anchor = tuple[Sequence[float], Sequence[float]]


def detected(*anchors: Anchor, context: Context | None = None, **options: Any) -> list[Row]:
    """Return (score, box) of what is found among anchors (scores, box)."""
    found = found_in(*anchors, context=context, **options)
    count = int((found["labels"][0] >= 0).sum())
    return [
        (round(float(score), 4), box.tolist())
        for score, box in zip(found["scores"][0][:count], found["boxes"][0][:count], strict=True)
    ]


def found_in(*anchors: Anchor, context: Context | None = None, **options: Any) -> Any:
    tensors = {
        "scores": np.array([[scores for scores, _ in anchors]], np.float32),
        "boxes": np.array([[box for _, box in anchors]], np.float32),
    }
    return steps.apply([Detect("scores", **options)], tensors, context)


def context_of(height: int, width: int, resize: Resize) -> Context:
    context = Context()
    files = {"x": steps.bytes_tensor([png(colours(height, width))])}
    steps.apply([DecodeImage("x"), resize], files, context)
    return context


# --- which boxes ----------------------------------------------------------------------------------


def test_the_best_boxes_come_first_and_weak_ones_not_at_all() -> None:
    weak, good, better = ([0.4], [0, 0, 1, 1]), ([0.6], [0, 0, 0.1, 0.1]), ([0.9], [0.5, 0.5, 1, 1])

    assert [score for score, _ in detected(weak, good, better)] == [0.9, 0.6]


def test_a_box_that_overlaps_a_better_one_of_its_class_is_dropped() -> None:
    better, same, beside = ([0.9], [0, 0, 10, 10]), ([0.8], [1, 0, 11, 10]), ([0.7], [9, 0, 19, 10])

    assert [score for score, _ in detected(better, same, beside)] == [0.9, 0.7]
    assert [score for score, _ in detected(better, same, beside, iou_max=0.9)] == [0.9, 0.8, 0.7]


def test_boxes_of_two_classes_may_overlap() -> None:
    found = found_in(([0.9, 0.1], [0, 0, 10, 10]), ([0.2, 0.8], [0, 0, 10, 10]))

    assert found["labels"][0][:3].tolist() == [0, 1, -1]


def test_a_box_dropped_by_one_that_is_dropped_itself_stays() -> None:
    chain = [([0.9], [0, 0, 10, 10]), ([0.8], [4, 0, 14, 10]), ([0.7], [8, 0, 18, 10])]

    assert [score for score, _ in detected(*chain, iou_max=0.4)] == [0.9, 0.7]


def test_the_background_is_no_class() -> None:
    found = found_in(([0.9, 0.1, 0.0], [0, 0, 1, 1]), ([0.1, 0.2, 0.7], [0, 0, 1, 1]), background=True)

    assert found["labels"][0][:2].tolist() == [1, -1]


def test_places_without_a_box_are_marked() -> None:
    found = found_in(([0.1], [0, 0, 1, 1]), limit=3)

    assert found["boxes"].tolist() == [[[0, 0, 0, 0]] * 3]
    assert found["scores"].tolist() == [[0, 0, 0]]
    assert found["labels"].tolist() == [[-1, -1, -1]]
    assert (found["boxes"].dtype, found["scores"].dtype, found["labels"].dtype) == (np.float32, np.float32, np.int64)


def test_no_more_than_the_limit_are_kept_and_of_equals_the_first() -> None:
    apart = [([0.9], [index, 0, index + 1, 1]) for index in range(5)]

    assert [box[0] for _, box in detected(*apart, limit=2)] == [0, 1]
    assert [box[0] for _, box in detected(*apart, candidates_max=3)] == [0, 1, 2]


@pytest.mark.parametrize("box", [[np.nan, 0, 1, 1], [0, 0, np.inf, 1]])
def test_what_is_no_number_is_no_box(box: list[float]) -> None:
    assert detected(([0.9], box), ([np.nan], [0, 0, 1, 1])) == []


def test_boxes_without_an_area_overlap_nothing() -> None:
    assert len(detected(([0.9], [1, 1, 1, 1]), ([0.8], [1, 1, 1, 1]))) == 2


def test_rows_do_not_mix() -> None:
    tensors = {
        "scores": np.array([[[0.9], [0.8]], [[0.1], [0.7]]], np.float32),
        "boxes": np.array([[[0, 0, 1, 1], [5, 5, 6, 6]]] * 2, np.float32),
    }

    found = steps.apply([Detect("scores")], tensors)

    assert (found["labels"] >= 0).sum(axis=1).tolist() == [2, 1]
    assert found["boxes"][1, 0].tolist() == [5, 5, 6, 6]


def test_what_was_read_is_dropped() -> None:
    tensors = {"cls": np.zeros((1, 2, 1), np.float32), "reg": np.zeros((1, 2, 1, 4), np.float32)}

    assert steps.apply([Detect("cls", boxes="reg")], tensors).keys() == {"boxes", "scores", "labels"}


# --- where boxes are ------------------------------------------------------------------------------


def test_boxes_come_in_pixels_of_the_original() -> None:
    stretched = context_of(40, 80, Resize("x", height=10, width=10))

    assert detected(([0.9], [0.5, 0.0, 1.0, 0.5]), context=stretched) == [(0.9, [40, 0, 80, 20])]
    assert detected(([0.9], [5, 0, 10, 5]), context=stretched, unit="pixel") == [(0.9, [40, 0, 80, 20])]
    assert detected(([0.9], [7.5, 2.5, 5, 5]), context=stretched, unit="pixel", form="centre") == [
        (0.9, [40, 0, 80, 20])
    ]


def test_the_bars_of_a_letterbox_are_outside_the_image() -> None:
    letterbox = context_of(40, 80, Resize("x", height=80, width=80, fit="letterbox"))

    assert detected(([0.9], [0, 0, 80, 40]), context=letterbox, unit="pixel") == [(0.9, [0, 0, 80, 20])]


def test_without_an_image_boxes_stay_in_the_units_of_the_model() -> None:
    assert detected(([0.9], [0.25, 0, 1, 0.5])) == [(0.9, [0.25, 0, 1, 0.5])]


def test_which_of_two_images_must_be_said() -> None:
    context = context_of(40, 80, Resize("x", height=10, width=10))
    context.frames["other"] = context.frames["x"]

    assert detected(([0.9], [0, 0, 1, 1]), context=context, image="x") == [(0.9, [0, 0, 80, 40])]
    with pytest.raises(InvalidRequest, match="say in `image` which of"):
        detected(([0.9], [0, 0, 1, 1]), context=context)
    with pytest.raises(InvalidRequest, match="'y' is no image"):
        detected(([0.9], [0, 0, 1, 1]), context=context, image="y")


def test_a_model_that_answers_fewer_rows_than_images_is_refused() -> None:
    context = context_of(4, 4, Resize("x", height=2, width=2))
    tensors = {"scores": np.zeros((2, 1, 1), np.float32), "boxes": np.zeros((2, 1, 4), np.float32)}

    with pytest.raises(InvalidRequest, match="2 rows for 1 images"):
        steps.apply([Detect("scores")], tensors, context)


# --- grids and anchors ----------------------------------------------------------------------------


def test_a_grid_is_read_as_fastestdet_writes_it() -> None:
    grid = np.zeros((1, 7, 2, 4), np.float32)
    grid[0, :, 1, 2] = [0.81, 0.5, -0.5, 0.0, 2.0, 0.16, 0.25]

    made = steps.apply([GridBoxes("out")], {"out": grid})

    assert made.keys() == {"scores", "boxes"}
    cell = 1 * 4 + 2
    middle = np.array([(2 + np.tanh(0.5)) / 4, (1 + np.tanh(-0.5)) / 2])
    size = 1 / (1 + np.exp(-np.array([0.0, 2.0])))
    np.testing.assert_allclose(made["boxes"][0, cell], [*(middle - size / 2), *(middle + size / 2)], rtol=1e-5)
    np.testing.assert_allclose(made["scores"][0, cell], [0.81**0.6 * 0.16**0.4, 0.81**0.6 * 0.25**0.4], rtol=1e-5)
    assert not made["scores"][0, 0].any()


@pytest.mark.parametrize("order", ["channels_first", "channels_last"])
def test_anchors_are_read_in_either_order(order: str) -> None:
    anchors = np.array([[[1, 2, 3, 4, 0.5, 0.2, 0.8], [5, 6, 7, 8, 1.0, 0.9, 0.1]]], np.float32)
    tensor = anchors.transpose(0, 2, 1) if order == "channels_first" else anchors

    plain = steps.apply([AnchorBoxes("out", order=order)], {"out": tensor})  # type: ignore[arg-type]  # a parameter
    weighed = steps.apply([AnchorBoxes("out", order=order, objectness=True)], {"out": tensor})  # type: ignore[arg-type]  # as above

    assert plain["boxes"].tolist() == weighed["boxes"].tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]
    assert plain["scores"].shape == (1, 2, 3)
    np.testing.assert_allclose(weighed["scores"], [[[0.1, 0.4], [0.9, 0.1]]], rtol=1e-6)


def test_logits_of_anchors_become_probabilities() -> None:
    tensor = np.array([[[1, 2, 3, 4, 0.0, 100.0]]], np.float32)

    made = steps.apply([AnchorBoxes("out", order="channels_last", logits=True)], {"out": tensor})

    assert made["scores"].tolist() == [[[0.5, 1.0]]]


@pytest.mark.parametrize(
    ("step", "tensors"),
    [
        (GridBoxes("out"), {"out": np.zeros((1, 5, 2, 2))}),
        (GridBoxes("out"), {"out": np.zeros((1, 7, 4))}),
        (AnchorBoxes("out"), {"out": np.zeros((1, 4, 9))}),
        (AnchorBoxes("out", objectness=True), {"out": np.zeros((1, 5, 9))}),
        (AnchorBoxes("out"), {"out": np.zeros((5, 9))}),
        (Detect("out"), {"out": np.zeros((1, 2, 1))}),
        (Detect("out"), {"out": np.zeros((1, 2, 1)), "boxes": np.zeros((1, 3, 4))}),
        (Detect("out"), {"out": np.zeros((2, 1)), "boxes": np.zeros((2, 1, 4))}),
        (Detect("out"), {"out": np.zeros((1, 2, 0)), "boxes": np.zeros((1, 2, 4))}),
        (Detect("out", background=True), {"out": np.zeros((1, 2, 1)), "boxes": np.zeros((1, 2, 4))}),
    ],
)
def test_outputs_of_another_form_are_refused(step: Step, tensors: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidRequest, match=f"step {step.kind} on 'out'"):
        steps.apply([step], tensors)


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "detect", "score_min": 1.5},
        {"step": "detect", "iou_max": -0.1},
        {"step": "detect", "limit": 1001},
        {"step": "detect", "form": "circles"},
        {"step": "grid_boxes", "class_power": -1},
        {"step": "anchor_boxes", "order": "none"},
    ],
)
def test_limits_that_make_no_sense_are_refused_when_they_are_parsed(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tensor": "x", **fields}, Step)
