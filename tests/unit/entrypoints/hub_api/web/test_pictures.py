import math
import struct
import zlib

import pytest

from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Golden, Manifest, TensorSpec
from ganglion.entrypoints.hub_api.web.pictures import data_uri, grey_png, picture_of
from ganglion.wire.resources import SampleTensorView, SampleView


def pixels_of(png: bytes) -> tuple[int, int, list[bytes]]:
    """Take a PNG apart: width, height, rows without their filter byte. Every checksum is checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    rest = png[8:]
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        kind, data, (checksum,) = rest[4:8], rest[8 : 8 + length], struct.unpack(">I", rest[8 + length : 12 + length])
        assert zlib.crc32(kind + data) == checksum
        chunks[kind], rest = data, rest[12 + length :]
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = zlib.decompress(chunks[b"IDAT"])
    return width, height, [rows[start + 1 : start + 1 + width] for start in range(0, len(rows), width + 1)]


def make_manifest(image: tuple[int, int] | None) -> Manifest:
    return Manifest(
        name=ModelName("digits"),
        version=Version("1"),
        inputs=(TensorSpec("pixels", "FP32", (-1, 6), "NF", image),),
        outputs=(),
        golden=Golden(inputs={}, outputs={}),
        members={},
    )


def make_sample(values: list[float]) -> SampleView:
    inputs = {"pixels": SampleTensorView("FP32", [1, len(values)], values)}
    return SampleView("s1", "n1", 0.0, "digits", "1", "r1", "random", "7", 0.5, "", inputs)


def test_values_become_greys_from_their_smallest_to_their_largest() -> None:
    width, height, rows = pixels_of(grey_png([0.0, 8.0, 16.0, 16.0, 8.0, 0.0], height=2, width=3))

    assert (width, height) == (3, 2)
    assert rows == [bytes((0, 127, 255)), bytes((255, 127, 0))]


@pytest.mark.parametrize("value", [0.0, 5.0, math.nan, math.inf, -math.inf])
def test_equal_and_unreal_values_are_black(value: float) -> None:
    assert pixels_of(grey_png([value] * 4, height=2, width=2))[2] == [b"\0\0", b"\0\0"]


def test_a_sample_whose_input_is_an_image_is_shown() -> None:
    picture = picture_of(make_sample([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), make_manifest((2, 3)))

    assert picture == data_uri(grey_png([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], height=2, width=3))


@pytest.mark.parametrize("values", [[], [1.0, 2.0]])
def test_an_input_of_another_size_than_its_image_is_not_shown(values: list[float]) -> None:
    assert picture_of(make_sample(values), make_manifest((2, 3))) == ""


def test_an_input_that_is_no_image_and_an_unknown_model_are_not_shown() -> None:
    sample = make_sample([1.0] * 6)

    assert picture_of(sample, make_manifest(None)) == ""
    assert picture_of(sample, None) == ""
