"""Decodes an inference request: JSON, or JSON followed by the bytes of tensors (the binary tensor extension).

Tensors sent as bytes become views of the body; no element of them is touched here. What the JSON of a binary
request said is remembered by its bytes, so that a client that repeats itself pays for a look-up.
"""

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Tensor, Tensors
from ganglion.entrypoints.inference_api import oip_document, oip_numbers
from ganglion.entrypoints.inference_api.json_gaps import JsonGaps
from ganglion.entrypoints.inference_api.manner import Manner, manner_of
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.oip_document import NOT_SENT, Document, InputItem
from ganglion.entrypoints.inference_api.placed_tensors import (
    COPIED_BYTES_MAX,
    Memory,
    aligned,
    check_size,
    from_region,
    view,
)

_LENGTH_DIGITS_MAX = 12
_KNOWN_JSON_BYTES_MAX = 4096
_KNOWN_MAX = 512


class DecodedRequest(msgspec.Struct, frozen=True, gc=False):
    """The contents of a request."""

    request_id: str
    inputs: Tensors
    manner: Manner


class _Part(msgspec.Struct, frozen=True, gc=False):
    """Where one tensor lies behind the JSON."""

    name: str
    dtype: "np.dtype[np.generic]"
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


class _KnownJson(msgspec.Struct, frozen=True, gc=False):
    """The JSON of a binary request that was decoded before: all that is new in the next one are the tensors."""

    manner: Manner
    parts: tuple[_Part, ...]
    body_bytes: int


class _KnownGap(msgspec.Struct, frozen=True, gc=False):
    """The JSON around one tensor's data that was decoded before."""

    manner: Manner
    name: str
    datatype: str
    shape: tuple[int, ...]


class RequestDecoder:
    """Decodes requests and remembers forms. For one thread."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._known: Memo[bytes, _KnownJson] = Memo(_KNOWN_MAX)
        self._gaps: JsonGaps[_KnownGap] = JsonGaps()

    def decode(self, body: bytes, header_length: bytes | None) -> DecodedRequest:
        """Decode a body. `header_length` is the value of Inference-Header-Content-Length, if it was sent.

        Raises: InvalidRequest: with the field that is wrong. NotFound: a region that is not registered.
        """
        if header_length is None:
            found = self._gaps.find(body)
            return self._decode_all(body, len(body)) if found is None else _fill(body, *found)
        json_bytes = _parse_length(header_length, len(body))
        known = self._known.get(body[:json_bytes]) if json_bytes <= _KNOWN_JSON_BYTES_MAX else None
        if known is not None and known.body_bytes == len(body):
            return _refill(known, body)
        return self._decode_all(body, json_bytes)

    def _decode_all(self, body: bytes, json_bytes: int) -> DecodedRequest:
        document = oip_document.parse(body[:json_bytes])
        inputs: dict[str, Tensor] = {}
        offset = json_bytes
        for item in document.inputs:
            if item.name in inputs:
                raise InvalidRequest(f"input {item.name!r} stands twice")
            inputs[item.name] = self._tensor(item, body, offset)
            offset += item.parameters.binary_data_size or 0
        if offset != len(body):
            raise InvalidRequest(
                f"{len(body) - offset} bytes follow the last tensor: no binary_data_size accounts for them"
            )
        manner = manner_of(document)
        if not document.id:  # Ids differ from request to request: what holds one is not met again.
            self._learn(document, manner, inputs, body, json_bytes)
        return DecodedRequest(document.id, inputs, manner)

    def _learn(self, document: Document, manner: Manner, inputs: Tensors, body: bytes, json_bytes: int) -> None:
        if not document.inputs:
            return  # For a model that takes none there is nothing to be faster at.
        if json_bytes == len(body):
            item = document.inputs[0]
            self._gaps.learn(document, body, _KnownGap(manner, item.name, item.datatype, item.shape))
        elif json_bytes <= _KNOWN_JSON_BYTES_MAX and all(map(_is_placed, document.inputs)):
            parts = _parts(document, inputs, json_bytes)
            self._known.remember(body[:json_bytes], _KnownJson(manner, parts, len(body)))

    def _tensor(self, item: InputItem, body: bytes, offset: int) -> Tensor:
        size, what = item.parameters.binary_data_size, f"input {item.name!r}"
        region = item.parameters.shared_memory_region
        if (item.data is not NOT_SENT) + (size is not None) + (region is not None) > 1:
            raise InvalidRequest(f"{what} has more than one of data, binary_data_size and shared_memory_region")
        if region is not None:
            return from_region(self._memory, item, region, what)
        if size is None:
            if item.data is NOT_SENT:
                raise InvalidRequest(f"{what} has neither data nor binary_data_size")
            return oip_numbers.from_json(memoryview(item.data), item.datatype, item.shape, what=what)
        check_size(item, size, what)
        if size > len(body) - offset:
            raise InvalidRequest(f"{what}: binary_data_size is {size}, {len(body) - offset} bytes are left")
        return view(item, body, offset, size)


def _parse_length(text: bytes, body_bytes: int) -> int:
    length = int(text) if text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX else -1
    if not 0 <= length <= body_bytes:
        value = text.decode("latin-1")[:40]
        raise InvalidRequest(f"Inference-Header-Content-Length is {value!r}, the body has {body_bytes} bytes")
    return length


def _is_placed(item: InputItem) -> bool:
    """Say whether a tensor's place in the body, and its size, are the same in every request with the same JSON."""
    return item.parameters.binary_data_size is not None and item.datatype not in ("BYTES", "BF16")


def _parts(document: Document, inputs: Tensors, offset: int) -> tuple[_Part, ...]:
    parts = []
    for item in document.inputs:
        tensor = inputs[item.name]
        parts.append(_Part(item.name, tensor.dtype, tensor.shape, offset, tensor.nbytes))
        offset += tensor.nbytes
    return tuple(parts)


def _refill(known: _KnownJson, body: bytes) -> DecodedRequest:
    inputs: dict[str, Tensor] = {}
    for part in known.parts:
        start, size = part.offset, part.size_bytes
        # A small tensor is copied: that costs less than to find out whether its place in the body is aligned.
        inputs[part.name] = (
            np.ndarray(part.shape, part.dtype, body[start : start + size])
            if size <= COPIED_BYTES_MAX
            else aligned(np.ndarray(part.shape, part.dtype, body, start))
        )
    return DecodedRequest("", inputs, known.manner)


def _fill(body: bytes, gap: _KnownGap, start: int, end: int) -> DecodedRequest:
    tensor = oip_numbers.from_json(memoryview(body)[start:end], gap.datatype, gap.shape, what=f"input {gap.name!r}")
    return DecodedRequest("", {gap.name: tensor}, gap.manner)
