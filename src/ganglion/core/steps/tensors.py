"""Tensors in memory and as bytes, by the datatypes of the Open Inference Protocol v2.

Two datatypes are not what they are on the wire: a BYTES tensor is an array of objects with a `bytes` in each
place, and a BF16 tensor is FP32 once it is off the wire, since numpy has no such number.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ganglion.core.errors import InvalidRequest

Tensor: TypeAlias = NDArray[Any]
"""Steps change the element type, so a tensor's is not static; `TensorSpec.datatype` states it at the edges."""
Tensors: TypeAlias = Mapping[str, Tensor]
Number: TypeAlias = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"
]
"""Datatypes that numpy has."""
Datatype: TypeAlias = Number | Literal["BYTES", "BF16"]
"""Names of the Open Inference Protocol v2."""

_NUMBERS: tuple[Number, ...] = get_args(Number)
_CODES = ("?", "<u1", "<u2", "<u4", "<u8", "<i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
OBJECT = np.dtype(object)

DATATYPES: dict[np.dtype[Any], Datatype] = {
    **{np.dtype(code): name for code, name in zip(_CODES, _NUMBERS, strict=True)},
    OBJECT: "BYTES",
}
"""What a tensor in memory is called. Nothing in memory is BF16."""
DTYPES: dict[str, np.dtype[Any]] = {
    **{name: dtype for dtype, name in DATATYPES.items()},
    "BF16": np.dtype("<f4"),
}
"""How a datatype lies in memory."""

_LENGTH_BYTES = 4
_BF16 = np.dtype("<u2")
_NAN = np.uint32(0x7FC00000)


def to_bytes(tensor: Tensor, datatype: str = "") -> bytes:
    """Return a tensor as the protocol's binary extension sends it: little-endian, BYTES elements after their lengths.

    Without a `datatype` it is the one that the tensor has in memory.
    """
    if tensor.dtype == OBJECT:
        parts = [bytes(element) for element in tensor.ravel()]
        return b"".join([part for each in parts for part in (len(each).to_bytes(_LENGTH_BYTES, "little"), each)])
    if datatype == "BF16":
        return _rounded_to_bf16(tensor).tobytes()
    return tensor.tobytes()


def from_bytes(data: bytes, datatype: str, shape: tuple[int, ...]) -> Tensor:
    """Return the tensor that `to_bytes` gave these bytes.

    Raises: InvalidRequest: the datatype is unknown, or the bytes are not as many as shape and datatype make.
    """
    count = math.prod(shape)
    if datatype == "BYTES":
        return shaped(_elements(data, count), shape)
    dtype = _BF16 if datatype == "BF16" else DTYPES.get(datatype)
    if dtype is None:
        raise InvalidRequest(f"datatype {datatype[:40]!r} is none of {', '.join(DTYPES)}")
    if len(data) != count * dtype.itemsize:
        raise InvalidRequest(f"{datatype} {list(shape)} takes {count * dtype.itemsize} bytes, there are {len(data)}")
    tensor = shaped(np.frombuffer(data, dtype), shape)
    return _widened_from_bf16(tensor) if datatype == "BF16" else tensor


def bytes_tensor(elements: list[bytes]) -> Tensor:
    """Return a BYTES tensor [N]."""
    tensor = np.empty(len(elements), OBJECT)
    tensor[:] = elements
    return tensor


def size_bytes(tensor: Tensor) -> int:
    """Return how many bytes the elements hold; numpy knows of a BYTES tensor only its pointers."""
    if tensor.dtype == OBJECT:
        return sum([len(element) for element in tensor.ravel()])
    return tensor.nbytes


def shaped(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return elements in a shape that has as many.

    Raises: InvalidRequest: a negative size, too many dimensions, or an absurd one beside a zero.
    """
    if any(size < 0 for size in shape):
        raise InvalidRequest(f"the shape {list(shape)} has a negative size")
    try:
        return flat.reshape(shape)
    except ValueError as error:
        raise InvalidRequest(f"no tensor has the shape {list(shape)[:8]}: {error}") from error


def _elements(data: bytes, count: int) -> Tensor:
    elements: list[bytes] = []
    offset = 0
    while offset < len(data) and len(elements) < count:
        start = offset + _LENGTH_BYTES
        end = start + int.from_bytes(data[offset:start], "little")
        if end > len(data) or start > len(data):
            raise InvalidRequest(f"BYTES element {len(elements)} ends after the last byte of the tensor")
        elements.append(bytes(data[start:end]))
        offset = end
    if offset != len(data) or len(elements) != count:
        raise InvalidRequest(f"a BYTES tensor of {count} elements does not take these {len(data)} bytes")
    return bytes_tensor(elements)


def _widened_from_bf16(raw: Tensor) -> Tensor:
    """BF16 is the upper half of an FP32."""
    return (raw.astype(np.uint32) << 16).view(np.float32)


def _rounded_to_bf16(tensor: Tensor) -> Tensor:
    """Round to nearest, ties to even, as hardware does; NaN stays NaN."""
    bits = np.ascontiguousarray(tensor, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = bits + np.uint32(0x7FFF) + odd
    return np.asarray(np.where(np.isnan(tensor), _NAN, rounded) >> np.uint32(16)).astype(_BF16)
