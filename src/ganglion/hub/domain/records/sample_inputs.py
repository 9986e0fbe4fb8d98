"""The inputs of a sample: from the bytes that a node sent to arrays and to numbers for people. No I/O."""

from collections.abc import Mapping

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES, Tensor, from_bytes
from ganglion.wire.records import SampleTensor
from ganglion.wire.resources import SampleTensorView


def check(inputs: Mapping[str, SampleTensor]) -> None:
    """Raises: InvalidRequest: there is none, or one is not what it says."""
    if not inputs:
        raise InvalidRequest("the sample has no inputs")
    for name, tensor in inputs.items():
        array_of(name, tensor)


def pack(inputs: Mapping[str, SampleTensor]) -> bytes:
    """Return the stored form."""
    return msgspec.msgpack.encode(inputs)


def unpack(data: bytes) -> dict[str, SampleTensor]:
    """Return inputs from their stored form."""
    return msgspec.msgpack.decode(data, type=dict[str, SampleTensor])


def array_of(name: str, tensor: SampleTensor) -> Tensor:
    """Return one row as an array [1, ...] on the bytes that were sent.

    Raises: InvalidRequest: size, shape or datatype is wrong.
    """
    if tensor.datatype not in DTYPES:
        raise InvalidRequest(f"input {name!r} has the unknown datatype {tensor.datatype!r}")
    if not tensor.shape or tensor.shape[0] != 1 or any(size < 0 for size in tensor.shape):
        raise InvalidRequest(f"input {name!r} is not one row: its shape is {list(tensor.shape)}")
    try:
        return from_bytes(tensor.data, tensor.datatype, tensor.shape)
    except InvalidRequest as error:
        raise InvalidRequest(f"input {name!r}: {error.message}") from error


def view_of(name: str, tensor: SampleTensor, *, values_max: int) -> SampleTensorView:
    """Return one row for people. JSON has no NaN, so that is shown as 0; long rows and bytes come without values."""
    array = array_of(name, tensor)
    is_shown = array.size <= values_max and not array.dtype.hasobject
    values = np.nan_to_num(array.astype(np.float64)).ravel().tolist() if is_shown else []
    return SampleTensorView(datatype=tensor.datatype, shape=list(tensor.shape), values=values)
