"""Images: what is decoded, how it is resized, and where its points came from."""

import io
import re
import sys
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest, MissingExtra
from ganglion.core.steps import Colour, Context, DecodeImage, Layout, Resize, Scale, Step, Tensor
from unit.core.pictures import colours, encoded, huge_png, jpeg, png, with_text

GIF = encoded(Image.new("RGB", (2, 2)), "GIF")


def decoded(*files: bytes, **options: Any) -> Tensor:
    return steps.apply([DecodeImage("x", **options)], {"x": steps.bytes_tensor(list(files))})["x"]


def resized(image: Tensor, **options: Any) -> Tensor:
    return np.asarray(steps.apply([Resize("x", **options)], {"x": image[None]})["x"][0])


# --- decoding -------------------------------------------------------------------------------------


def test_a_png_gives_its_pixels_back() -> None:
    pixels = colours(3, 5)

    assert np.array_equal(decoded(png(pixels)), pixels[None])


def test_a_jpeg_gives_nearly_its_pixels_back() -> None:
    pixels = np.full((16, 24, 3), (200, 100, 50), np.uint8)

    image = decoded(jpeg(pixels))

    assert image.shape == (1, 16, 24, 3)
    assert np.abs(image.astype(int) - pixels).max() <= 3


def test_grey_has_one_channel() -> None:
    assert decoded(png(colours(3, 5)), colour="grey").shape == (1, 3, 5, 1)
    assert decoded(png(colours(3, 5, channels=1)), colour="rgb").shape == (1, 3, 5, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_8_bits_of_red_green_and_blue(mode: str) -> None:
    white = Image.new("RGB", (2, 1), "white")
    picture = Image.fromarray(np.full((1, 2), 65535, np.uint16)) if mode == "I;16" else white.convert(mode)

    assert decoded(encoded(picture, "PNG")).tolist() == [[[[255, 255, 255]] * 2]]


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    assert decoded(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG")).min() >= 250


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_viewers_turn_it(orientation: int) -> None:
    pixels = np.repeat(np.repeat(colours(2, 3, seed=4), 16, 0), 16, 1)
    file = jpeg(pixels, orientation=orientation)

    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))

    assert np.array_equal(decoded(file)[0], upright)


def test_images_of_one_size_are_one_tensor() -> None:
    files = [png(colours(4, 6, seed=seed)) for seed in range(3)]

    assert decoded(*files).shape == (3, 4, 6, 3)


def test_images_of_different_sizes_must_be_resized_before_any_arithmetic() -> None:
    files = {"x": steps.bytes_tensor([png(colours(4, 6)), png(colours(8, 2))])}

    with pytest.raises(InvalidRequest, match="images of different sizes: resize them first"):
        steps.apply([DecodeImage("x"), Scale("x", 1.0)], files)
    resize = Resize("x", height=4, width=4)
    assert steps.apply([DecodeImage("x"), Colour("x", "swap_red_blue"), resize], files)["x"].shape == (2, 4, 4, 3)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "neither JPEG nor PNG"),
        (b"hello", "neither JPEG nor PNG: it begins with b'hello'"),
        (GIF, "neither JPEG nor PNG: it begins with b'GIF87a"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (png(colours(9, 9))[:-40], "damaged"),
        (jpeg(colours(9, 9))[:-40], "damaged"),
        (png(colours(9, 9)).replace(b"IDAT", b"IDAX"), "damaged"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_the_reason(file: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape("step decode_image on 'x': image 1")) as caught:
        decoded(png(colours(2, 2)), file)

    assert reason in caught.value.message


def test_an_image_that_promises_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InvalidRequest, match=r"image 0 \(60000 x 60000\) makes 3600000000 pixels, at most 25000000"):
        decoded(huge_png(60_000, 60_000))


def test_the_pixels_of_a_request_count_together() -> None:
    files = [png(colours(10, 10))] * 3

    assert len(decoded(*files, pixels_max=300)) == 3
    with pytest.raises(InvalidRequest, match=r"image 2 \(10 x 10\) makes 300 pixels, at most 299"):
        decoded(*files, pixels_max=299)


def test_a_file_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(InvalidRequest, match="image 0 has 11 bytes, at most 10"):
        decoded(bytes(11), bytes_max=10)


def test_a_text_in_a_png_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="damaged"):
        decoded(with_text(colours(2, 2), "A" * 50_000_000))


@pytest.mark.parametrize(
    "tensor",
    [np.zeros((1, 2), np.float32), np.array([["x"]], object), np.array(["text"], object), np.array(b"x", object)],
)
def test_only_rows_of_bytes_are_decoded(tensor: Tensor) -> None:
    with pytest.raises(InvalidRequest, match=r"must be BYTES \[N\]"):
        steps.apply([DecodeImage("x")], {"x": tensor})


def test_without_pillow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(MissingExtra, match=r"ganglion\[images\]"):
        DecodeImage("x").bind()
    with pytest.raises(MissingExtra, match=r"ganglion\[images\]"):
        Resize("x", height=1, width=1, method="antialias").bind()


# --- resizing -------------------------------------------------------------------------------------


def bilinear_by_hand(image: Tensor, height: int, width: int) -> Tensor:
    """Look up every pixel on its own."""
    source_height, source_width, _ = image.shape
    result = np.empty((height, width, image.shape[2]))
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * source_height / height - 0.5, 0.0), source_height - 1.0)
            x = min(max((column + 0.5) * source_width / width - 0.5, 0.0), source_width - 1.0)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, source_height - 1), min(left + 1, source_width - 1)
            upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            lower = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
            result[row, column] = upper * (1 - (y - top)) + lower * (y - top)
    return result


@pytest.mark.parametrize("size", [(3, 9), (7, 5), (16, 2), (5, 7), (1, 1)])
def test_bilinear_mixes_the_four_nearest_pixels(size: tuple[int, int]) -> None:
    image = colours(7, 5)

    mixed = resized(image, height=size[0], width=size[1])

    assert mixed.dtype == np.uint8
    assert np.abs(mixed - bilinear_by_hand(image, *size)).max() <= 0.501


def test_floats_stay_floats() -> None:
    image = np.random.default_rng(0).random((4, 6, 1), np.float32)

    mixed = resized(image, height=5, width=3)

    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, bilinear_by_hand(image, 5, 3), atol=1e-6)


def test_nearest_takes_pixels_as_they_are() -> None:
    image = np.arange(4, dtype=np.uint8).reshape(1, 4, 1)

    assert resized(image, height=1, width=8, method="nearest").ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert resized(image, height=1, width=2, method="nearest").ravel().tolist() == [0, 2]


def test_antialias_looks_at_every_pixel() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (8, 32))[..., None]

    assert set(resized(stripes, height=4, width=4, method="antialias").ravel().tolist()) <= set(range(110, 146))
    assert set(resized(stripes, height=4, width=4, method="nearest").ravel().tolist()) == {0}


def test_antialias_is_for_images_of_8_bits() -> None:
    with pytest.raises(InvalidRequest, match="antialias takes UINT8 images"):
        resized(np.zeros((2, 2, 3), np.float32), height=1, width=1, method="antialias")


def test_a_letterboxed_image_keeps_its_shape_between_bars() -> None:
    image = np.full((10, 20, 3), 200, np.uint8)

    centred = resized(image, height=20, width=20, fit="letterbox", fill=7)
    cornered = resized(image, height=20, width=20, fit="letterbox", fill=7, place="corner")

    assert [set(part.ravel().tolist()) for part in (centred[:5], centred[5:15], centred[15:])] == [{7}, {200}, {7}]
    assert [set(part.ravel().tolist()) for part in (cornered[:10], cornered[10:])] == [{200}, {7}]


def test_a_cropped_image_loses_its_sides() -> None:
    image = np.zeros((10, 30, 1), np.uint8)
    image[:, 10:20] = 255

    assert set(resized(image, height=5, width=5, fit="crop").ravel().tolist()) == {255}


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("method", ["bilinear", "nearest", "antialias"])
@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (37, 53)])
def test_every_shape_can_be_resized_in_every_way(fit: str, method: str, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 9, np.uint8)

    result = resized(image, height=24, width=32, fit=fit, method=method, fill=9)

    assert result.shape == (24, 32, 3)
    assert set(result.ravel().tolist()) == {9}


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 4, 4, 2), (1, 0, 4, 3), (0, 4, 4, 3), (4,)])
def test_only_images_are_resized(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="step resize on 'x'"):
        steps.apply([Resize("x", height=2, width=2)], {"x": np.zeros(shape, np.uint8)})


def test_a_resize_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 100000000 elements"):
        steps.apply([Resize("x", height=8192, width=8192)], {"x": np.zeros((1, 1, 1, 3), np.uint8)})


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 0, "width": 1},
        {"height": 1, "width": 8193},
        {"height": 1, "width": 1, "fit": "squeeze"},
        {"height": 1},
    ],
)
def test_a_size_that_makes_no_sense_is_refused_when_it_is_parsed(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"step": "resize", "tensor": "x", **fields}, Step)


# --- where points came from -----------------------------------------------------------------------


def corners_after(*chain: Step, size: tuple[int, int], target: tuple[int, int]) -> list[float]:
    """Return where the whole of what the model sees lies in the original (height, width)."""
    context = Context()
    steps.apply([DecodeImage("x"), *chain], {"x": steps.bytes_tensor([png(colours(*size))])}, context)
    frame = context.frames["x"]
    return [float(side) for side in frame.to_source(0, np.array([[0.0, 0.0, target[1], target[0]]]))[0]]


def test_a_stretched_image_covers_all_of_the_original() -> None:
    assert corners_after(Resize("x", height=8, width=8), size=(40, 60), target=(8, 8)) == [0, 0, 60, 40]


def test_the_bars_of_a_letterbox_end_at_the_edge_of_the_original() -> None:
    letterbox = Resize("x", height=8, width=8, fit="letterbox")

    assert corners_after(letterbox, size=(40, 80), target=(8, 8)) == [0, 0, 80, 40]


def test_a_crop_covers_the_middle_of_the_original() -> None:
    crop = Resize("x", height=8, width=8, fit="crop")

    assert corners_after(crop, size=(40, 80), target=(8, 8)) == [20, 0, 60, 40]


def test_two_resizes_and_another_name_lead_back_to_the_original() -> None:
    context = Context()
    chain: list[Step] = [
        DecodeImage("image"),
        Resize("image", height=20, width=20, fit="crop"),
        Resize("image", height=10, width=40, fit="letterbox"),
        steps.Rename("image", "x"),
    ]

    steps.apply(chain, {"image": steps.bytes_tensor([png(colours(40, 80))])}, context)

    # The crop is the original's columns 20 to 60; the letterbox has it in its own columns 15 to 25.
    box = context.frames["x"].to_source(0, np.array([[15.0, 0.0, 20.0, 5.0]]))
    assert box.tolist() == [[20, 0, 40, 20]]


# --- colours and layout ---------------------------------------------------------------------------


def test_red_and_blue_change_places() -> None:
    image = np.array([[[[1, 2, 3]]]], np.uint8)

    assert steps.apply([Colour("x", "swap_red_blue")], {"x": image})["x"].tolist() == [[[[3, 2, 1]]]]


def test_grey_weighs_colours_as_eyes_do() -> None:
    image = np.array([[[[100, 200, 50]]]], np.uint8)

    grey = steps.apply([Colour("x", "rgb_to_grey")], {"x": image})["x"]
    of_bgr = steps.apply([Colour("x", "bgr_to_grey")], {"x": image[..., ::-1]})["x"]

    assert grey.tolist() == of_bgr.tolist() == [[[[153]]]]
    assert steps.apply([Colour("x", "grey_to_rgb")], {"x": grey})["x"].tolist() == [[[[153, 153, 153]]]]


def test_a_colour_that_is_not_there_cannot_be_converted() -> None:
    with pytest.raises(InvalidRequest, match="must have 3 channels, they have 1"):
        steps.apply([Colour("x", "rgb_to_grey")], {"x": np.zeros((1, 2, 2, 1), np.uint8)})


def test_layouts_lead_to_each_other() -> None:
    image = colours(2, 3)[None]

    first = steps.apply([Layout("x", "nchw")], {"x": image})["x"]

    assert first.shape == (1, 3, 2, 3)
    assert first.flags.c_contiguous
    assert np.array_equal(steps.apply([Layout("x", "nhwc")], {"x": first})["x"], image)
    with pytest.raises(InvalidRequest, match="four dimensions"):
        steps.apply([Layout("x", "nchw")], {"x": image[0]})
