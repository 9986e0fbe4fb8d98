"""Laws of the steps: whatever comes in, the answer is a tensor of the promised form or a refusal."""

import contextlib
import typing

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ganglion.core import npy, steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import (
    DTYPES,
    BandFilter,
    Cast,
    Context,
    DecodeImage,
    Detect,
    FftMagnitude,
    Resize,
    Step,
    Tensor,
    Window,
)
from ganglion.core.steps.boxes import overlap
from unit.core.pictures import colours, jpeg, png

NUMBERS = [name for name, dtype in DTYPES.items() if not dtype.hasobject and name != "BF16"]
SIZES = st.integers(1, 40)
FITS = st.sampled_from(["stretch", "letterbox", "crop"])
METHODS = st.sampled_from(["bilinear", "nearest", "antialias"])
TENSORS = arrays.arrays(
    dtype=st.sampled_from([dtype for dtype in DTYPES.values() if not dtype.hasobject]),
    shape=arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)
FIELDS: dict[str, object] = {
    "axes": [0, 2, 1],
    "at": 0.5,
    "convert": "rgb_to_grey",
    "datatype": "INT8",
    "factor": 2.0,
    "height": 3,
    "high": 1.0,
    "high_hz": 20.0,
    "hop": 1,
    "indices": [0, 1],
    "k": 2,
    "length": 2,
    "low": 0.0,
    "mean": [1.0, 2.0],
    "method": {"kind": "z_score", "mean": [0.0], "std": [1.0]},
    "name": "kept",
    "rate_hz": 100.0,
    "row": [2, -1],
    "std": [1.0, 2.0],
    "tensor": "x",
    "threshold": 1.0,
    "to": "nchw",
    "width": 3,
}


def every_step() -> list[Step]:
    """Return one of each kind, with the fields that it cannot do without."""
    found: list[Step] = []
    for kind in typing.get_args(Step):
        required = {field.name: FIELDS[field.name] for field in msgspec.structs.fields(kind) if field.required}
        high = {"high_hz": 20.0} if kind is BandFilter else {}
        found.append(msgspec.convert({"step": kind.__struct_config__.tag, **required, **high}, Step))
    return found


EVERY_STEP = every_step()


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
@settings(max_examples=60)
@given(tensor=TENSORS, boxes=TENSORS)
def test_any_tensor_gives_tensors_that_the_protocol_knows_or_a_refusal(
    step: Step, tensor: Tensor, boxes: Tensor
) -> None:
    with contextlib.suppress(InvalidRequest):
        made = steps.apply([step], {"x": tensor, "boxes": boxes})
        assert all(each.dtype in steps.DATATYPES for each in made.values())
        assert set(step.makes) <= made.keys()


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
def test_a_step_survives_json(step: Step) -> None:
    assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step


# --- images ---------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_an_image_or_a_refusal(data: bytes, begin: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        steps.apply([DecodeImage("x")], {"x": steps.bytes_tensor([begin + data])})


@settings(max_examples=300)
@given(st.data(), st.sampled_from([png(colours(6, 7)), jpeg(colours(6, 7), orientation=6)]))
def test_a_damaged_image_is_an_image_or_a_refusal(data: st.DataObject, whole: bytes) -> None:
    places = data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=4))
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for place, value in places:
        if place < len(damaged):
            damaged[place] = value

    with contextlib.suppress(InvalidRequest):
        image = steps.apply([DecodeImage("x", pixels_max=10_000)], {"x": steps.bytes_tensor([bytes(damaged)])})["x"]
        assert image.dtype == np.uint8
        assert image.shape[3] == 3
        assert image.size <= 30_000


@given(SIZES, SIZES, SIZES, SIZES, FITS, METHODS)
def test_no_pixel_leaves_the_range_of_the_image(
    height: int, width: int, to_height: int, to_width: int, fit: typing.Any, method: typing.Any
) -> None:
    image = colours(height, width).clip(50, 200)
    step = Resize("x", to_height, to_width, fit=fit, method=method, fill=50)

    resized = steps.apply([step], {"x": image[None]})["x"]

    assert resized.shape == (1, to_height, to_width, 3)
    assert resized.min() >= 50
    assert resized.max() <= image.max()


@given(SIZES, SIZES, SIZES, SIZES, FITS, st.floats(0, 1), st.floats(0, 1))
def test_a_point_of_the_prepared_image_lies_in_the_original(
    height: int, width: int, to_height: int, to_width: int, fit: typing.Any, x: float, y: float
) -> None:
    context = Context()
    steps.apply([Resize("x", to_height, to_width, fit=fit)], {"x": colours(height, width)[None]}, context)
    frame = context.frames["x"]
    point = np.array([x * width, y * height])

    there = point * frame.scale[0] + frame.offset[0]
    back = frame.to_source(0, np.array([[*there, *there]]))[0]

    np.testing.assert_allclose(back, [*point, *point], atol=1e-6)


# --- detection ------------------------------------------------------------------------------------

UNIT = st.floats(0, 1, width=32)
ANCHORS = st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT, UNIT, st.integers(0, 2)), min_size=1, max_size=30)


@settings(max_examples=200)
@given(ANCHORS, UNIT, UNIT)
def test_kept_boxes_are_good_ordered_and_apart_and_no_good_one_is_lost(
    anchors: list[tuple[float, float, float, float, float, int]], score_min: float, iou_max: float
) -> None:
    boxes = np.array([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d, _, _ in anchors], np.float32)
    scores = np.zeros((len(anchors), 3), np.float32)
    for index, (*_, score, label) in enumerate(anchors):
        scores[index, label] = score
    step = Detect("scores", score_min=score_min, iou_max=iou_max, limit=50)

    found = steps.apply([step], {"scores": scores[None], "boxes": boxes[None]})

    count = int((found["labels"][0] >= 0).sum())
    kept, kept_scores, labels = found["boxes"][0][:count], found["scores"][0][:count], found["labels"][0][:count]
    assert list(kept_scores) == sorted(kept_scores, reverse=True)
    assert (kept_scores >= np.float32(score_min)).all()
    for index in range(count):
        same = (labels == labels[index]) & (np.arange(count) != index)
        assert (overlap(kept[index], kept[same]) <= iou_max).all()
    for box, score, label in zip(boxes, scores.max(axis=1), scores.argmax(axis=1), strict=True):
        rivals = kept[(labels == label) & (kept_scores >= score)]
        is_covered = (overlap(box, rivals) > iou_max).any() or (rivals == box).all(axis=1).any()
        assert is_covered or score < np.float32(score_min)


# --- signals --------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 20))
def test_windows_hold_the_series_and_nothing_else(size: int, length: int, hop: int) -> None:
    series = np.arange(1, size + 1, dtype=np.float32)[None]

    windows = steps.apply([Window("x", length, hop)], {"x": series})["x"]

    for number, window in enumerate(windows.reshape(-1, length)):
        values = [value for value in window.tolist() if value]
        assert values == list(range(number * hop + 1, number * hop + 1 + len(values)))


@given(arrays.arrays(np.float32, (2, 32), elements=st.floats(-1, 1, width=32)))
def test_power_in_time_is_power_in_frequency(series: Tensor) -> None:
    power = steps.apply([FftMagnitude("x", power=True)], {"x": series})["x"]

    both_sides = 2 * power.sum(axis=1) - power[:, 0] - power[:, -1]
    np.testing.assert_allclose(both_sides / 32, (series**2).sum(axis=1), atol=1e-3)


@given(arrays.arrays(np.float32, (1, 64), elements=st.floats(-1, 1, width=32)), st.floats(-4, 4))
def test_filters_are_linear(series: Tensor, factor: float) -> None:
    step = BandFilter("x", 100.0, high_hz=20.0, taps=11)

    once = steps.apply([step], {"x": series})["x"] * factor
    scaled = steps.apply([step], {"x": series * np.float32(factor)})["x"]

    np.testing.assert_allclose(scaled, once, atol=1e-4)


# --- numbers and bytes ----------------------------------------------------------------------------


@given(
    st.sampled_from(NUMBERS),
    st.sampled_from([name for name in NUMBERS if "INT" in name]),
    st.data(),
)
def test_a_cast_to_integers_is_the_nearest_value_that_there_is(source: str, target: str, data: st.DataObject) -> None:
    dtype, limits = DTYPES[source], np.iinfo(DTYPES[target])
    tensor = data.draw(arrays.arrays(dtype, (1, 3)))

    cast = steps.apply([Cast("x", typing.cast("typing.Any", target))], {"x": tensor})["x"]

    for value, result in zip(tensor.ravel().tolist(), cast.ravel().tolist(), strict=True):
        if value != value:  # noqa: PLR0124 - only NaN differs from itself
            assert result == 0
        else:
            bounded = min(max(value, limits.min), limits.max)
            assert result == int(bounded)


@given(arrays.arrays(object, arrays.array_shapes(max_dims=2, max_side=5), elements=st.binary(max_size=9)))
def test_byte_strings_survive_the_wire(tensor: Tensor) -> None:
    again = steps.from_bytes(steps.to_bytes(tensor), "BYTES", tensor.shape)

    assert again.tolist() == tensor.tolist()


@given(arrays.arrays(object, (3,), elements=st.binary(max_size=9)))
def test_byte_strings_survive_a_file_or_are_refused(tensor: Tensor) -> None:
    is_kept = not any(element.endswith(b"\0") for element in tensor)

    if is_kept:
        assert npy.decode(npy.encode(tensor), what="it").tolist() == tensor.tolist()
    else:
        with pytest.raises(InvalidRequest):
            npy.encode(tensor)


@settings(max_examples=200)
@given(st.binary(max_size=40), st.lists(st.integers(-2, 5), max_size=3), st.sampled_from(list(DTYPES)))
def test_any_bytes_are_a_tensor_or_a_refusal(data: bytes, shape: list[int], datatype: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert steps.from_bytes(data, datatype, tuple(shape)).shape == tuple(shape)
