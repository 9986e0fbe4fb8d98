"""Tensors as `.npy` bytes: read without pickle, and without believing the header.

`numpy.load` unpickles on request, allocates what a header promises, and reads the header as Python source; a
file from elsewhere may do none of that. Only the one form that `encode` writes is read.

A BYTES tensor becomes numpy's strings of one width ("S"). They lose the zeros at their end, so elements that have
some are refused.
"""

import io
import re

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DATATYPES, OBJECT, Tensor

_VERSION = (1, 0)
_BEGIN = b"\x93NUMPY\x01\x00"
_LENGTH_BYTES = 2
_HEADER = re.compile(
    rb"{'descr': '(?P<descr>[^']{1,16})', 'fortran_order': (?P<columns>True|False), "
    rb"'shape': \((?P<shape>(?:[0-9]{1,19}, ){0,63}(?:[0-9]{1,19},?)?)\), } *\n"
)
_DTYPES = {dtype.str: dtype for dtype in DATATYPES if not dtype.hasobject}
_STRINGS = re.compile(r"\|S[1-9][0-9]{0,8}")


def encode(tensor: Tensor) -> bytes:
    """Return `tensor` as .npy, version 1.0, row-major, little-endian. Equal tensors give equal bytes.

    Raises: InvalidRequest: its elements are neither numbers nor bytes, or bytes that end with a zero.
    """
    if tensor.dtype.hasobject:
        tensor = _strings(tensor)
    buffer = io.BytesIO()
    little = np.asarray(tensor, order="C", dtype=tensor.dtype.newbyteorder("<"))
    np.lib.format.write_array(buffer, little, version=_VERSION, allow_pickle=False)
    return buffer.getvalue()


def decode(data: bytes, *, what: str) -> Tensor:
    """Return the tensor in `data`; `what` names the file in errors.

    Raises: InvalidRequest: not .npy, an element type that no tensor has, or a size that the header does not state.
    """
    begin = len(_BEGIN) + _LENGTH_BYTES
    end = begin + int.from_bytes(data[len(_BEGIN) : begin], "little")
    header = _HEADER.fullmatch(data, begin, end) if data.startswith(_BEGIN) and end <= len(data) else None
    if header is None:
        raise InvalidRequest(f"{what}: not an .npy file of version 1.0 as numpy writes it")
    descr = header["descr"].decode("latin1")
    dtype = np.dtype(descr) if _STRINGS.fullmatch(descr) else _DTYPES.get(descr)
    if dtype is None or header["columns"] == b"True":
        order = "column" if header["columns"] == b"True" else "row"
        raise InvalidRequest(f"{what}: elements {descr!r} in {order}-major order are not read")
    shape = tuple(int(size) for size in header["shape"].split(b",") if size)
    tensor = _elements(data[end:], shape, dtype, what)
    return tensor.astype(OBJECT) if dtype.kind == "S" else tensor


def _strings(tensor: Tensor) -> Tensor:
    elements = list(tensor.ravel())
    if not all(isinstance(element, bytes) for element in elements):
        raise InvalidRequest("only tensors of numbers or bytes can be written as .npy")
    if any(element.endswith(b"\0") for element in elements):
        raise InvalidRequest("an element ends with a zero byte, which .npy would lose")
    return tensor.astype(np.bytes_)


def _elements(body: bytes, shape: tuple[int, ...], dtype: np.dtype[np.generic], what: str) -> Tensor:
    size_bytes = dtype.itemsize
    for size in shape:
        size_bytes *= size
    if size_bytes != len(body):
        raise InvalidRequest(f"{what}: the header states the shape {list(shape)}, the file holds {len(body)} bytes")
    try:
        return np.frombuffer(body, dtype).reshape(shape)
    except ValueError as error:
        # No elements at all, in dimensions that are too large to exist.
        raise InvalidRequest(f"{what}: the shape {list(shape)} is impossible: {error}") from error
