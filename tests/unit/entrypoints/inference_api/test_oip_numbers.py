"""Numbers in JSON at the ends of what datatypes hold; found by the fuzz campaign, and kept."""

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.inference_api import oip_numbers


def from_json(text: bytes, datatype: str, *shape: int) -> list[float]:
    tensor = oip_numbers.from_json(text, datatype, shape, what="x")
    return [float(value) for value in tensor.ravel()]


def test_the_lowest_whole_number_has_a_magnitude_too() -> None:
    with pytest.raises(InvalidRequest, match="numbers that FP16 cannot"):
        from_json(b"[1, -9223372036854775808]", "FP16", 2)


def test_the_lowest_whole_number_fits_where_its_magnitude_fits() -> None:
    assert from_json(b"[-9223372036854775808, 1]", "FP32", 2) == [-(2.0**63), 1.0]


@pytest.mark.parametrize("text", [b"[18446744073709551615, 1]", b"[-9223372036854775808, 18446744073709551615]"])
def test_whole_numbers_of_64_bits_are_told_from_smaller_ones(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        from_json(text, "INT32", 2)


def test_nothing_warns_at_the_ends_of_a_float() -> None:
    largest = float(np.finfo(np.float32).max)

    assert from_json(f"[{largest}, {-largest}]".encode(), "FP32", 2) == [largest, -largest]
