"""Tensors that a client sends as bytes, in its message or in shared memory."""

import math
from typing import Protocol

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Tensor, from_bytes, shaped
from ganglion.entrypoints.inference_api import oip_numbers
from ganglion.entrypoints.inference_api.manner import span_of
from ganglion.entrypoints.inference_api.oip_document import InputItem

COPIED_BYTES_MAX = 8192
"""Up to here a copy costs less than to find out whether the bytes stand at an aligned place."""


class Memory(Protocol):
    """Shared memory that clients registered."""

    def read(self, region: str, offset: int, size_bytes: int) -> bytes:
        """Return bytes of a region. Raises: InvalidRequest, NotFound."""
        ...


def check_size(item: InputItem, size: int, what: str) -> None:
    """Compare a stated size with the shape, where the shape says it all. Raises: InvalidRequest."""
    dtype, count = oip_numbers.dtype_of(item.datatype, what=what), math.prod(item.shape)
    wanted = count * (2 if item.datatype == "BF16" else dtype.itemsize)
    if item.datatype != "BYTES" and size != wanted:
        raise InvalidRequest(f"{what}: its size is {size} bytes, its shape and datatype make {wanted}")


def view(item: InputItem, body: bytes, offset: int, size: int) -> Tensor:
    """Return a tensor whose bytes stand in a body; it shares them where it can. Raises: InvalidRequest."""
    if item.datatype in ("BYTES", "BF16"):
        return from_bytes(body[offset : offset + size], item.datatype, item.shape)
    dtype = oip_numbers.dtype_of(item.datatype, what=item.name)
    return aligned(shaped(np.frombuffer(body, dtype, math.prod(item.shape), offset), item.shape))


def aligned(tensor: Tensor) -> Tensor:
    """What stands before a tensor has any length; runtimes may read elements as aligned words."""
    return tensor if tensor.flags.aligned else tensor.copy()


def from_region(memory: Memory | None, item: InputItem, region: str, what: str) -> Tensor:
    """Return a tensor that lies in a region. Raises: InvalidRequest, NotFound: the region is not registered."""
    span = span_of(item.parameters, region, what)
    check_size(item, span.size_bytes, what)
    if memory is None:
        raise InvalidRequest(f"{what}: shared memory is not supported here")
    return from_bytes(memory.read(region, span.offset, span.size_bytes), item.datatype, item.shape)
