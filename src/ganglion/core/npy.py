"""Tensors as `.npy` bytes: read without pickle, and without believing the header.

`numpy.load` unpickles on request and allocates what a header promises; a file from elsewhere may do
neither. Only the one form that `encode` writes is read.
"""

import io

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DATATYPES, Tensor

_HEADER_BYTES_MAX = 4096
_VERSION = (1, 0)


def encode(tensor: Tensor) -> bytes:
    """Return `tensor` as .npy, version 1.0, row-major, little-endian. Equal tensors give equal bytes."""
    buffer = io.BytesIO()
    little = np.asarray(tensor, order="C", dtype=tensor.dtype.newbyteorder("<"))
    np.lib.format.write_array(buffer, little, version=_VERSION, allow_pickle=False)
    return buffer.getvalue()


def decode(data: bytes, *, what: str) -> Tensor:
    """Return the tensor in `data`; `what` names the file in errors.

    Raises: InvalidRequest: not .npy, an element type that no tensor has, or a size that the header does not state.
    """
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != _VERSION:
            raise InvalidRequest(f"{what}: only version 1.0 of .npy is read")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_HEADER_BYTES_MAX)
    except (ValueError, SyntaxError, RecursionError) as error:
        raise InvalidRequest(f"{what}: not a readable .npy file: {error}") from error
    if dtype not in DATATYPES or is_fortran:
        raise InvalidRequest(f"{what}: {dtype} in {'column' if is_fortran else 'row'}-major order is not read")
    return _elements(data[stream.tell() :], shape, dtype, what)


def _elements(body: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic], what: str) -> Tensor:
    size_bytes = dtype.itemsize
    for size in shape:
        size_bytes *= size
    if size_bytes != len(body) or any(size < 0 for size in shape):
        raise InvalidRequest(f"{what}: the header states the shape {list(shape)}, the file holds {len(body)} bytes")
    return np.frombuffer(body, dtype).reshape(shape)
