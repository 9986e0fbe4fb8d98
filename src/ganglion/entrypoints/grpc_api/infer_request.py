"""Decodes a `ModelInferRequest`.

A client that repeats itself sends the same bytes each time, apart from the request's id and the raw tensors at the
end. What the rest said is remembered by its bytes, so that such a request costs a look-up. Whatever stands in another
order than clients write it, or holds its elements one by one, protobuf reads.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Tensor, Tensors
from ganglion.entrypoints.grpc_api import message_bytes
from ganglion.entrypoints.grpc_api.infer_messages import Input, Request, parse_request, values_of
from ganglion.entrypoints.grpc_api.typed_contents import from_contents
from ganglion.entrypoints.inference_api.manner import Manner, manner_of
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.oip_document import Document, InputItem
from ganglion.entrypoints.inference_api.placed_tensors import (
    COPIED_BYTES_MAX,
    Memory,
    aligned,
    check_size,
    from_region,
    view,
)

_KNOWN_HEAD_BYTES_MAX = 4096
_KNOWN_MAX = 512
_ID, _RAW = 0x1A, 0x3A
_HEAD_TAGS = frozenset((0x0A, 0x12, 0x22, 0x2A, 0x32))
"""First bytes of the fields 1 to 6 but the id; a tag that is written longer than it must be is left to protobuf."""
_RAW_FIELD = 7
_SHORT = 0x7F
_HTTP_ONLY = frozenset(("binary_data", "binary_data_output", "binary_data_size"))


class GrpcRequest(msgspec.Struct, frozen=True, gc=False):
    """The contents of a request."""

    model: str
    version: str
    request_id: str
    inputs: Tensors
    manner: Manner


class _Part(msgspec.Struct, frozen=True, gc=False):
    """One raw tensor: what stands before its bytes, and what they are."""

    name: str
    dtype: "np.dtype[np.generic]"
    shape: tuple[int, ...]
    before: bytes
    size_bytes: int


class _KnownHead(msgspec.Struct, frozen=True, gc=False):
    """Everything before the raw tensors, apart from the id."""

    model: str
    version: str
    manner: Manner
    parts: tuple[_Part, ...]
    raw_bytes: int


class _Cut(msgspec.Struct, frozen=True, gc=False):
    """A request in the usual order: the head without its id, the id, and where the raw tensors begin."""

    head: bytes
    request_id: bytes
    raw_place: int


class GrpcRequestDecoder:
    """Decodes requests and remembers heads. For one thread."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._known: Memo[bytes, _KnownHead] = Memo(_KNOWN_MAX)

    def decode(self, message: bytes) -> GrpcRequest:
        """Decode a message. Raises: InvalidRequest: with what is wrong. NotFound: a region is not registered."""
        cut = _cut(message)
        if cut is None:
            return self._decode_all(message)[0]
        known = self._known.get(cut.head)
        if known is not None and known.raw_bytes == len(message) - cut.raw_place:
            inputs = _refill(known.parts, message, cut.raw_place)
            if inputs is not None:
                return GrpcRequest(known.model, known.version, _text(cut.request_id), inputs, known.manner)
        decoded, items = self._decode_all(message)
        self._learn(cut, len(message), decoded, items)
        return decoded

    def _decode_all(self, message: bytes) -> tuple[GrpcRequest, Sequence[InputItem]]:
        request = parse_request(message)
        document = _document(request)
        inputs = self._tensors(request, document.inputs)
        manner = manner_of(document)
        return GrpcRequest(request.model_name, request.model_version, request.id, inputs, manner), document.inputs

    def _learn(self, cut: _Cut, size_bytes: int, decoded: GrpcRequest, items: Sequence[InputItem]) -> None:
        if len(cut.head) > _KNOWN_HEAD_BYTES_MAX or not all(map(_is_placed, items)):
            return
        parts = tuple([_part(name, tensor) for name, tensor in decoded.inputs.items()])
        raw_bytes = sum([len(part.before) + part.size_bytes for part in parts])
        # Otherwise something stands behind the tensors, and might say the opposite of the head.
        if raw_bytes == size_bytes - cut.raw_place:
            self._known.remember(cut.head, _KnownHead(decoded.model, decoded.version, decoded.manner, parts, raw_bytes))

    def _tensors(self, request: Request, items: Sequence[InputItem]) -> Tensors:
        raws = list(request.raw_input_contents)
        placed = [item for item in items if item.parameters.shared_memory_region is None]
        if raws and len(raws) != len(placed):
            raise InvalidRequest(
                f"raw_input_contents has {len(raws)} tensors, {len(placed)} inputs lie outside of shared memory: "
                "send all of them raw, or none"
            )
        inputs: dict[str, Tensor] = {}
        rest = iter(raws)
        for sent, item in zip(request.inputs, items, strict=True):
            if item.name in inputs:
                raise InvalidRequest(f"input {item.name!r} stands twice")
            is_raw = bool(raws) and item.parameters.shared_memory_region is None
            inputs[item.name] = self._tensor(sent, item, next(rest) if is_raw else None)
        return inputs

    def _tensor(self, sent: Input, item: InputItem, raw: bytes | None) -> Tensor:
        what, region = f"input {item.name!r}", item.parameters.shared_memory_region
        if sent.HasField("contents") and (raw is not None or region is not None):
            raise InvalidRequest(f"{what} has contents beside raw_input_contents or shared_memory_region")
        if region is not None:
            return from_region(self._memory, item, region, what)
        if raw is None:
            return from_contents(sent.contents, item, what)
        check_size(item, len(raw), what)
        return view(item, raw, 0, len(raw))


def _cut(message: bytes) -> _Cut | None:
    """Return the parts of a message; None for one that is not in the usual order, or no message at all."""
    place = id_place = id_end = id_start = 0
    size = len(message)
    try:
        while place < size and (tag := message[place]) != _RAW:
            length, start = message[place + 1], place + 2
            if length > _SHORT:
                length, start = message_bytes.length_at(message, place + 1)
            if tag == _ID and not id_end:
                id_place, id_start, id_end = place, start, start + length
            elif tag not in _HEAD_TAGS:
                return None
            place = start + length
    except (IndexError, ValueError):
        return None
    if place >= size:
        return None
    if not id_end:
        return _Cut(message[:place], b"", place)
    return _Cut(message[:id_place] + message[id_end:place], message[id_start:id_end], place)


def _is_placed(item: InputItem) -> bool:
    """Say whether a tensor stands in every request with the same head, with the same size."""
    return item.parameters.shared_memory_region is None and item.datatype not in ("BYTES", "BF16")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"id is not text: {error}") from error


def _refill(parts: Sequence[_Part], message: bytes, place: int) -> Tensors | None:
    """Return the tensors from `place` on; None when their sizes are others than they were."""
    inputs: dict[str, Tensor] = {}
    for part in parts:
        size = part.size_bytes
        if not message.startswith(part.before, place):
            return None
        place += len(part.before)
        inputs[part.name] = (
            np.ndarray(part.shape, part.dtype, message[place : place + size])
            if size <= COPIED_BYTES_MAX
            else aligned(np.ndarray(part.shape, part.dtype, message, place))
        )
        place += size
    return inputs


def _part(name: str, tensor: Tensor) -> _Part:
    before = message_bytes.before(_RAW_FIELD, tensor.nbytes)
    return _Part(name, tensor.dtype, tensor.shape, before, tensor.nbytes)


def _document(request: Request) -> Document:
    """Return the request as HTTP would have it, without data. Raises: InvalidRequest."""
    document = {
        "inputs": [
            {
                "name": item.name,
                "shape": list(item.shape),
                "datatype": item.datatype,
                "parameters": _parameters(values_of(item.parameters)),
            }
            for item in request.inputs
        ],
        "outputs": [
            {"name": item.name, "parameters": _parameters(values_of(item.parameters))} for item in request.outputs
        ],
        "parameters": _parameters(values_of(request.parameters)),
        "id": request.id,
    }
    try:
        return msgspec.convert(document, Document)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the request is not an inference request: {error}") from error


def _parameters(values: dict[str, object]) -> dict[str, object]:
    """How HTTP sends tensors means nothing here: outputs come raw, or in shared memory."""
    return {name: value for name, value in values.items() if name not in _HTTP_ONLY}
