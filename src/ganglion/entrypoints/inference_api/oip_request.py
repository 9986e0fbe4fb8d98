"""Decodes an inference request: JSON, or JSON followed by the bytes of tensors (the binary tensor extension).

Tensors sent as bytes become views of the body; no element of them is touched here.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
import orjson

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES, Tensor, Tensors

Size = Annotated[int, msgspec.Meta(ge=0)]
Shape = Annotated[tuple[Size, ...], msgspec.Meta(max_length=32)]

_TENSORS_MAX = 64
_LENGTH_DIGITS_MAX = 12
_NOT_SENT = msgspec.Raw()
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}
"""Which kinds of JSON numbers a kind of element accepts: an integer is a float, never the reverse."""


class _Placement(msgspec.Struct, frozen=True):
    """Parameters of a tensor."""

    binary_data_size: Size | None = None
    binary_data: bool | None = None
    classification: int | None = None
    shared_memory_region: str | None = None


class _Input(msgspec.Struct, frozen=True):
    name: str
    shape: Shape
    datatype: str
    parameters: _Placement = _Placement()
    data: msgspec.Raw = _NOT_SENT


class _Output(msgspec.Struct, frozen=True):
    name: str
    parameters: _Placement = _Placement()


class _Options(msgspec.Struct, frozen=True):
    binary_data_output: bool = False


class _Document(msgspec.Struct, frozen=True):
    inputs: Annotated[tuple[_Input, ...], msgspec.Meta(min_length=1, max_length=_TENSORS_MAX)]
    id: str = ""
    parameters: _Options = _Options()
    outputs: Annotated[tuple[_Output, ...], msgspec.Meta(max_length=_TENSORS_MAX)] = ()


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """Which outputs a client wants, and in which form. No names: all of them."""

    names: tuple[str, ...]
    binary: frozenset[str]
    is_binary_default: bool

    def is_binary(self, name: str) -> bool:
        """Say whether this output is to be sent as bytes."""
        return name in self.binary if self.names else self.is_binary_default


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """The contents of a request."""

    request_id: str
    inputs: Tensors
    outputs: OutputChoice


_DECODER = msgspec.json.Decoder(_Document)


def decode(body: bytes, header_length: bytes | None) -> DecodedRequest:
    """Decode a body. `header_length` is the value of Inference-Header-Content-Length, if it was sent.

    Raises: InvalidRequest: with the field that is wrong.
    """
    json_bytes = len(body) if header_length is None else _parse_length(header_length, len(body))
    document = _parse(body if header_length is None else body[:json_bytes])
    inputs: dict[str, Tensor] = {}
    offset = json_bytes
    for item in document.inputs:
        if item.name in inputs:
            raise InvalidRequest(f"input {item.name!r} stands twice")
        size = item.parameters.binary_data_size
        inputs[item.name] = _from_json(item) if size is None else _from_bytes(item, body, offset, size)
        offset += size or 0
    if offset != len(body):
        raise InvalidRequest(
            f"{len(body) - offset} bytes follow the last tensor: no binary_data_size accounts for them"
        )
    return DecodedRequest(document.id, inputs, _outputs(document))


def _parse_length(text: bytes, body_bytes: int) -> int:
    if not text.isdigit() or len(text) > _LENGTH_DIGITS_MAX or int(text) > body_bytes:
        value = text.decode("latin-1")[:40]
        raise InvalidRequest(f"Inference-Header-Content-Length is {value!r}, the body has {body_bytes} bytes")
    return int(text)


def _parse(data: bytes) -> _Document:
    if not data:
        raise InvalidRequest("there is no JSON in the body: send it with Content-Length, or chunked")
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the request is not an inference request: {error}") from error


def _from_bytes(item: _Input, body: bytes, offset: int, size: int) -> Tensor:
    if item.data is not _NOT_SENT:
        raise InvalidRequest(f"input {item.name!r} has both data and binary_data_size")
    dtype, count = _dtype(item), math.prod(item.shape)
    if size != count * dtype.itemsize:
        wanted = count * dtype.itemsize
        raise InvalidRequest(f"input {item.name!r}: binary_data_size is {size}, its shape and datatype make {wanted}")
    if size > len(body) - offset:
        raise InvalidRequest(f"input {item.name!r}: binary_data_size is {size}, {len(body) - offset} bytes are left")
    tensor = np.frombuffer(body, dtype, count, offset).reshape(item.shape)
    # The JSON before the tensor has any length; runtimes may read elements as aligned words.
    return tensor if tensor.flags.aligned else tensor.copy()


def _from_json(item: _Input) -> Tensor:
    if item.data is _NOT_SENT:
        regions = ": shared memory is not supported" if item.parameters.shared_memory_region is not None else ""
        raise InvalidRequest(f"input {item.name!r} has neither data nor binary_data_size{regions}")
    dtype = _dtype(item)
    try:
        values = np.array(orjson.loads(memoryview(item.data)))
    except (orjson.JSONDecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"input {item.name!r}: data is not a regular list of numbers: {error}") from error
    if values.dtype.kind not in _KINDS.get(dtype.kind, dtype.kind):
        raise InvalidRequest(f"input {item.name!r}: data holds what is not {item.datatype}")
    if values.size != math.prod(item.shape) or (values.ndim != 1 and values.shape != item.shape):
        raise InvalidRequest(
            f"input {item.name!r}: data has shape {list(values.shape)}, declared is {list(item.shape)}"
        )
    return _convert(item, values, dtype).reshape(item.shape)


def _convert(item: _Input, values: Tensor, dtype: "np.dtype[np.generic]") -> Tensor:
    """Convert numbers to the declared element type; a number that it cannot hold is an error, never a wrap-around."""
    with np.errstate(over="ignore"):
        converted = values.astype(dtype)
    fits = np.isfinite(converted).all() if dtype.kind == "f" else (converted == values).all()
    if not fits:
        raise InvalidRequest(f"input {item.name!r}: data holds numbers that {item.datatype} cannot")
    return converted


def _dtype(item: _Input) -> "np.dtype[np.generic]":
    dtype = DTYPES.get(item.datatype)
    if dtype is None:
        raise InvalidRequest(f"input {item.name!r}: datatype {item.datatype[:40]!r} is none of {', '.join(DTYPES)}")
    return dtype


def _outputs(document: _Document) -> OutputChoice:
    default = document.parameters.binary_data_output
    names = tuple([item.name for item in document.outputs])
    if len(set(names)) != len(names):
        raise InvalidRequest(f"outputs are named twice: {list(names)}")
    binary = []
    for item in document.outputs:
        wish = item.parameters
        if wish.classification is not None or wish.shared_memory_region is not None:
            raise InvalidRequest(f"output {item.name!r}: classification and shared memory are not supported")
        if wish.binary_data or (wish.binary_data is None and default):
            binary.append(item.name)
    return OutputChoice(names, frozenset(binary), default)
