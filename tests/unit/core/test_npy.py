import io

import numpy as np
import pytest

from ganglion.core import npy
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES


@pytest.mark.parametrize("datatype", sorted(DTYPES))
def test_every_datatype_survives(datatype: str) -> None:
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

    with pytest.raises(InvalidRequest, match="object"):
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


def test_bytes_after_the_tensor_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="holds"):
        npy.decode(npy.encode(np.zeros(2, np.float32)) + b"\0", what="it")
