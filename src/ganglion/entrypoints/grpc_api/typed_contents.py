"""Tensors from elements that stand one by one in a message, in the field that belongs to their datatype."""

import math
from collections.abc import Sequence

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES, Tensor, bytes_tensor, shaped
from ganglion.entrypoints.grpc_api.infer_messages import Contents
from ganglion.entrypoints.inference_api.oip_document import InputItem

_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_AS_IN_MEMORY = ("BOOL", "FP32", "FP64")
"""Datatypes whose elements protobuf writes side by side as they lie in memory."""


def from_contents(contents: Contents, item: InputItem, what: str) -> Tensor:
    """Return the tensor. Raises: InvalidRequest: the datatype has no field, or elements are missing or too large."""
    field = _FIELDS.get(item.datatype)
    if field is None:
        if item.datatype in DTYPES:
            raise InvalidRequest(f"{what}: {item.datatype} has no contents of its own: send it in raw_input_contents")
        raise InvalidRequest(f"{what}: datatype {item.datatype[:40]!r} is none of {', '.join(DTYPES)}")
    elements: Sequence[object] = getattr(contents, field)
    strays = [other for other in sorted({*_FIELDS.values()}) if other != field and len(getattr(contents, other))]
    if strays:
        raise InvalidRequest(f"{what}: elements of {item.datatype} stand in {field}, not in {', '.join(strays)}")
    if len(elements) != math.prod(item.shape):
        raise InvalidRequest(f"{what}: {field} has {len(elements)} elements, declared is {list(item.shape)}")
    try:
        return shaped(_flat(contents, elements, item.datatype), item.shape)
    except OverflowError as error:
        raise InvalidRequest(f"{what}: {field} holds numbers that {item.datatype} cannot") from error


def _flat(contents: Contents, elements: Sequence[object], datatype: str) -> Tensor:
    """Raises: OverflowError: an element has no room in the datatype."""
    if datatype == "BYTES":
        return bytes_tensor(list(contents.bytes_contents))
    dtype = DTYPES[datatype]
    if datatype in _AS_IN_MEMORY and len(elements) > 0:
        # A copy of the memory; element by element, each would become an object of Python's first.
        whole = contents.SerializeToString()
        return np.frombuffer(whole, dtype, len(elements), len(whole) - len(elements) * dtype.itemsize)
    return np.fromiter(elements, dtype, len(elements))
