import io

import numpy as np
import pytest

from ganglion.core import npy
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES

NUMBERS = sorted(name for name, dtype in DTYPES.items() if not dtype.hasobject)


@pytest.mark.parametrize("datatype", NUMBERS)
def test_every_datatype_of_numbers_survives(datatype: str) -> None:
    tensor = np.arange(6).reshape(2, 3).astype(DTYPES[datatype])

    again = npy.decode(npy.encode(tensor), what="it")

    assert again.dtype == tensor.dtype
    assert np.array_equal(again, tensor)


def test_a_scalar_keeps_having_no_dimensions() -> None:
    assert npy.decode(npy.encode(np.array(16_000)), what="it").shape == ()


def test_numpy_reads_what_was_written() -> None:
    tensor = np.ones((2, 2), np.float32)

    assert np.array_equal(np.load(io.BytesIO(npy.encode(tensor)), allow_pickle=False), tensor)


def test_big_endian_and_column_major_tensors_become_one_form() -> None:
    tensor = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert npy.encode(np.asfortranarray(tensor.astype(">f4"))) == npy.encode(tensor)


def test_pickled_objects_are_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([object()]), allow_pickle=True)

    with pytest.raises(InvalidRequest, match=r"it: .*'\|O'"):
        npy.decode(buffer.getvalue(), what="it")


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}"])
def test_what_is_no_npy_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="it: "):
        npy.decode(data, what="it")


@pytest.mark.parametrize("shape", [(10**12, 8), (3,), (1, 9), (-1, 8), (2**62, 2**62, 16)])
def test_a_header_that_promises_another_size_than_the_file_has_allocates_nothing(shape: tuple[int, ...]) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})

    with pytest.raises(InvalidRequest):
        npy.decode(buffer.getvalue() + bytes(32), what="it")


def with_header(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def shaped(shape: tuple[int, ...]) -> str:
    return f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"


HOSTILE_HEADERS = {
    "brackets that never close": "{'descr': (\n",
    "a key that no dictionary takes": "{[]: 1}\n",
    "numbers of Python 2": "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,), }\n",
    "a size that is no number": "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }\n",
    "more dimensions than numpy has": shaped((1,) * 70),
    "nothing, very often": shaped((0, 2**62, 2**62)),
    "nothing, more often than can be counted": shaped((0, 10**30)),
    "a number that takes long to read": f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 6000},), }}\n",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
    "records": "{'descr': 'f4,f4', 'fortran_order': False, 'shape': (1,), }\n",
}


@pytest.mark.parametrize("header", HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS.keys())
@pytest.mark.parametrize("body", [b"", bytes(4)])
def test_a_header_that_was_written_to_hurt_is_refused(header: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="it: "):
        npy.decode(with_header(header, body), what="it")


def test_a_tensor_of_bytes_survives_as_strings_of_one_width() -> None:
    tensor = np.array([[b"a picture", b""]], dtype=object)

    again = npy.decode(npy.encode(tensor), what="it")

    assert again.dtype == object
    assert again.tolist() == [[b"a picture", b""]]
    assert np.load(io.BytesIO(npy.encode(tensor)), allow_pickle=False).dtype == "S9"


def test_bytes_that_would_lose_their_last_zero_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="zero"):
        npy.encode(np.array([b"a\0"], dtype=object))


def test_objects_that_are_no_bytes_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="numbers or bytes"):
        npy.encode(np.array([{}], dtype=object))


def test_bytes_after_the_tensor_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="holds"):
        npy.decode(npy.encode(np.zeros(2, np.float32)) + b"\0", what="it")
