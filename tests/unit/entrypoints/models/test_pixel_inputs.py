import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import DecodeImage, Layout, Resize, Step, Tensors, bytes_tensor
from ganglion.entrypoints.models.array_inputs import Inputs
from ganglion.entrypoints.models.pixel_inputs import PixelInput
from unit.core.builders import a_manifest

PIXELS = np.random.default_rng(1).integers(0, 256, (9, 12, 3), np.uint8)


def echo(feeds: Tensors) -> Tensors:
    """Answer with what reaches the engine."""
    return {"seen": feeds["photo"]}


def a_photo_model(colour: str = "rgb", *, size: int = 4) -> tuple[Pipeline, PixelInput]:
    """Return the pipeline for files, and the one for pixels."""
    steps: tuple[Step, ...] = (
        DecodeImage("photo", colour="grey" if colour == "grey" else "rgb"),
        Resize("photo", height=size, width=size),
        Layout("photo", to="nchw"),
    )
    manifest = a_manifest(
        inputs=(TensorSpec("photo", "BYTES", (-1,)),),
        outputs=(TensorSpec("seen", "UINT8", (-1, 3, size, size)),),
        preprocess=steps,
        prediction=None,
        labels=(),
    )
    decoded = PixelInput.of(manifest, echo)
    assert decoded is not None
    return Pipeline(manifest, echo), decoded


def png(pixels: NDArray[np.uint8], mode: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def seen_of(decoded: PixelInput, given: Inputs) -> NDArray[np.uint8]:
    pixels = decoded.pixels_in(given)
    assert pixels is not None
    return np.asarray(decoded.pipeline.answer({"photo": pixels}).outputs["seen"])


@pytest.mark.parametrize("as_image", [Image.fromarray, np.asarray, lambda pixels: pixels[np.newaxis]])
def test_pixels_take_the_same_steps_as_their_file(as_image: Callable[[NDArray[np.uint8]], Inputs]) -> None:
    files, decoded = a_photo_model()
    expected = files.answer({"photo": bytes_tensor([png(PIXELS, "RGB")])}).outputs["seen"]

    seen = seen_of(decoded, as_image(PIXELS))

    assert np.array_equal(seen, expected)


@pytest.mark.parametrize("as_image", [Image.fromarray, np.asarray])
def test_grey_pixels_need_no_channel(as_image: Callable[[NDArray[np.uint8]], Inputs]) -> None:
    files, decoded = a_photo_model("grey")
    grey = np.ascontiguousarray(PIXELS[..., 0])
    expected = files.answer({"photo": bytes_tensor([png(grey, "L")])}).outputs["seen"]

    seen = seen_of(decoded, as_image(grey))

    assert np.array_equal(seen, expected)


def test_transparency_is_dropped() -> None:
    _, decoded = a_photo_model()
    with_alpha = np.dstack([PIXELS, np.zeros((9, 12), np.uint8)])

    assert np.array_equal(seen_of(decoded, with_alpha), seen_of(decoded, PIXELS))


def test_pixels_may_be_given_by_name() -> None:
    _, decoded = a_photo_model()

    assert np.array_equal(seen_of(decoded, {"photo": PIXELS}), seen_of(decoded, PIXELS))


def test_an_image_that_lies_on_its_side_is_put_upright() -> None:
    _, decoded = a_photo_model()
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=exif)

    seen = seen_of(decoded, Image.open(buffer))

    assert np.array_equal(seen, seen_of(decoded, np.rot90(PIXELS, -1)))


def test_files_are_left_to_the_step_that_decodes() -> None:
    _, decoded = a_photo_model()

    assert decoded.pixels_in(b"\x89PNG") is None
    assert decoded.pixels_in(bytes_tensor([b"\x89PNG"])) is None


def test_pixels_of_another_kind_are_refused() -> None:
    _, decoded = a_photo_model()

    with pytest.raises(InvalidRequest, match="photo"):
        decoded.pixels_in(PIXELS.astype(np.float64) / 255)


def test_a_damaged_image_is_refused() -> None:
    _, decoded = a_photo_model()
    broken = Image.open(io.BytesIO(png(PIXELS, "RGB")[:-30]))

    with pytest.raises(InvalidRequest, match="cannot be read"):
        decoded.pixels_in(broken)


def test_a_model_that_decodes_nothing_has_no_input_for_pixels() -> None:
    assert PixelInput.of(a_manifest(), echo) is None
