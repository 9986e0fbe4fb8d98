"""Tensors as bytes: what every edge of the system sends and stores."""

import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DATATYPES, DTYPES

NUMBERS = [name for name, dtype in DTYPES.items() if not dtype.hasobject]


def test_every_datatype_but_bf16_has_an_element_type_of_its_own() -> None:
    assert {DATATYPES[dtype]: dtype for dtype in DTYPES.values()} == {
        name: dtype for name, dtype in DTYPES.items() if name != "BF16"
    }
    assert DTYPES["BF16"] == np.float32


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_survive(datatype: str) -> None:
    tensor = np.arange(6).reshape(2, 3).astype(DTYPES[datatype])

    again = steps.from_bytes(steps.to_bytes(tensor, datatype), datatype, (2, 3))

    assert again.dtype == tensor.dtype
    assert np.array_equal(again, tensor)


def test_byte_strings_follow_their_lengths() -> None:
    tensor = steps.bytes_tensor([b"ab", b"", b"\0"])

    data = steps.to_bytes(tensor)

    assert data == b"\x02\0\0\0ab" + b"\0\0\0\0" + b"\x01\0\0\0\0"
    assert steps.from_bytes(data, "BYTES", (3, 1)).tolist() == [[b"ab"], [b""], [b"\0"]]
    assert steps.size_bytes(tensor) == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 0x3F80),
        (-2.5, 0xC020),
        (1.00390625, 0x3F80),  # half-way: the even neighbour is below
        (1.01171875, 0x3F82),  # half-way: the even neighbour is above
        (3.4e38, 0x7F80),
        (np.inf, 0x7F80),
        (np.nan, 0x7FC0),
    ],
)
def test_bf16_is_the_nearest_upper_half_of_an_fp32(value: float, expected: int) -> None:
    data = steps.to_bytes(np.array([value], np.float32), "BF16")

    assert int.from_bytes(data, "little") == expected
    again = steps.from_bytes(data, "BF16", (1,))
    assert again.dtype == np.float32
    assert np.isnan(again[0]) == np.isnan(value)


@pytest.mark.parametrize(
    ("data", "datatype", "shape"),
    [
        (bytes(8), "FP32", (3,)),
        (bytes(8), "FP32", (-2,)),
        (bytes(8), "FP32", (-1, -2)),
        (bytes(8), "BF16", (2,)),
        (bytes(8), "STRING", (2,)),
        (b"", "BYTES", (1,)),
        (b"\x01\0\0\0a", "BYTES", (2,)),
        (b"\x01\0\0\0a", "BYTES", (0,)),
        (b"\x02\0\0\0a", "BYTES", (1,)),
        (b"\xff\xff\xff\xffa", "BYTES", (1,)),
        (b"\x01\0", "BYTES", (1,)),
        (b"\0\0\0\0" * 3, "BYTES", (2,)),
        (b"\0\0\0\0", "BYTES", (10**18,)),
    ],
)
def test_bytes_that_are_not_such_a_tensor_are_refused(data: bytes, datatype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest):
        steps.from_bytes(data, datatype, shape)
