"""Encodes a model's answer: JSON, or JSON followed by the bytes of tensors.

Everything but the request's id and the numbers is the same in each plain answer of one form, and is prepared once.
JSON has no NaN: an output that is not a number is null there. Clients that need it ask for binary data.
"""

from typing import Protocol, TypeAlias

import msgspec
import numpy as np
import orjson

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DATATYPES, Tensor, from_bytes, to_bytes
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.messages import Response
from ganglion.entrypoints.inference_api.sent_outputs import as_sent, bf16_of, timing_of, wishes_of
from ganglion.entrypoints.inference_api.wishes import OutputChoice, Span, Wish
from ganglion.node.services.serving.answers import Inferred

_BINARY_TYPE = "application/octet-stream"
_HEADER_LENGTH = "Inference-Header-Content-Length"
_KNOWN_MAX = 512
_JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BINARY_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n"
    b"Inference-Header-Content-Length: %d\r\n\r\n"
)
_Form: TypeAlias = tuple[str, str, OutputChoice, tuple[tuple[tuple[int, ...], int], ...]]


class Memory(Protocol):
    """Shared memory that clients registered."""

    def write(self, region: str, offset: int, data: bytes, *, room: int) -> None:
        """Put bytes into a region. Raises: InvalidRequest, NotFound."""
        ...


class _Mould(msgspec.Struct, frozen=True, gc=False):
    """An answer without its id and its numbers."""

    before_id: bytes
    pieces: tuple[bytes, ...]
    """JSON: the first follows the id, and each further one the data of one of `in_json`."""
    in_json: tuple[str, ...]
    in_binary: tuple[str, ...]
    blob_bytes: int


class ResponseEncoder:
    """Encodes answers and remembers forms. For one thread."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._moulds: Memo[_Form, _Mould] = Memo(_KNOWN_MAX)

    def encode(self, choice: OutputChoice, wants_timing: bool, inferred: Inferred) -> Response:  # noqa: FBT001 - bound in this order
        """Return the response with the chosen outputs, in the order in which they were asked for.

        Raises: InvalidRequest, NotFound: the outputs cannot have the form that was asked for.
        """
        name, outputs = inferred.name, inferred.answer.outputs
        shapes = tuple([(tensor.shape, tensor.dtype.num) for tensor in outputs.values()])
        form = (name.model, name.version, choice, shapes)
        mould = self._moulds.get(form)
        if mould is None:
            mould = _mould_of(inferred, choice)
            if mould is None:
                return self._encode_freely(inferred, choice, wants_timing=wants_timing)
            self._moulds.remember(form, mould)
        return self._encode_freely(inferred, choice, wants_timing=True) if wants_timing else _cast(mould, inferred)

    def _encode_freely(self, inferred: Inferred, choice: OutputChoice, *, wants_timing: bool) -> Response:
        """Encode what no mould has: text, other places than the answer, times."""
        blobs: list[bytes] = []
        items = [self._item(inferred, name, wish, blobs) for name, wish in wishes_of(inferred, choice)]
        document: dict[str, object] = {
            "model_name": inferred.name.model,
            "model_version": inferred.name.version,
            "id": inferred.name.request_id,
        }
        if wants_timing:
            document["parameters"] = timing_of(inferred.stages)
        head = orjson.dumps({**document, "outputs": items}, option=orjson.OPT_SERIALIZE_NUMPY)
        if not blobs:
            return Response(200, (head,))
        return Response(200, (head, *blobs), _BINARY_TYPE, ((_HEADER_LENGTH, str(len(head))),))

    def _item(self, inferred: Inferred, name: str, wish: Wish, blobs: list[bytes]) -> dict[str, object]:
        tensor, datatype = as_sent(inferred, name, wish)
        item: dict[str, object] = {"name": name, "datatype": datatype, "shape": tensor.shape}
        if wish.span is not None:
            item["parameters"] = self._put(wish.span, to_bytes(tensor, datatype), name)
        elif wish.is_binary:
            blobs.append(to_bytes(tensor, datatype))
            item["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            item["data"] = _texts(tensor, name) if tensor.dtype.kind == "O" else _flat(_rounded(tensor, datatype))
        return item

    def _put(self, span: Span, data: bytes, name: str) -> dict[str, object]:
        if self._memory is None:
            raise InvalidRequest(f"output {name!r}: shared memory is not supported here")
        self._memory.write(span.region, span.offset, data, room=span.size_bytes)
        return {
            "shared_memory_region": span.region,
            "shared_memory_offset": span.offset,
            "shared_memory_byte_size": len(data),
        }


def _rounded(tensor: Tensor, datatype: str) -> Tensor:
    """A client that reads BF16 as text gets the numbers that it would get as bytes."""
    return from_bytes(to_bytes(tensor, datatype), datatype, tensor.shape) if datatype == "BF16" else tensor


def _texts(tensor: Tensor, name: str) -> list[str]:
    try:
        return [element.decode() for element in tensor.ravel()]
    except UnicodeDecodeError as error:
        # The model did its part; it is the form that the client chose which cannot hold the answer.
        raise InvalidRequest(f"output {name!r} is not text: ask for it as binary data") from error


def _mould_of(inferred: Inferred, choice: OutputChoice) -> _Mould | None:
    """Return the mould of answers like this one; None when more than numbers may change."""
    wishes = wishes_of(inferred, choice)
    is_plain = not any(wish.classes or wish.span for _, wish in wishes) and not bf16_of(inferred)
    if not is_plain or any(tensor.dtype.kind == "O" for tensor in inferred.answer.outputs.values()):
        return None
    pieces, text = [], b',"outputs":['
    for number, (name, wish) in enumerate(wishes):
        tensor = inferred.answer.outputs[name]
        item = orjson.dumps({"name": name, "datatype": DATATYPES[tensor.dtype], "shape": tensor.shape})
        text += (b"," if number else b"") + item[:-1]
        if wish.is_binary:
            text += b',"parameters":{"binary_data_size":%d}}' % tensor.nbytes
        else:
            pieces.append(text + b',"data":')
            text = b"}"
    return _Mould(
        before_id=b'{"model_name":%b,"model_version":%b,"id":'
        % (orjson.dumps(inferred.name.model), orjson.dumps(inferred.name.version)),
        pieces=(*pieces, text + b"]}"),
        in_json=tuple([name for name, wish in wishes if not wish.is_binary]),
        in_binary=tuple([name for name, wish in wishes if wish.is_binary]),
        blob_bytes=sum([inferred.answer.outputs[name].nbytes for name, wish in wishes if wish.is_binary]),
    )


def _cast(mould: _Mould, inferred: Inferred) -> Response:
    outputs = inferred.answer.outputs
    parts = [b"", mould.before_id, orjson.dumps(inferred.name.request_id), mould.pieces[0]]
    for name, piece in zip(mould.in_json, mould.pieces[1:], strict=True):
        parts += (orjson.dumps(_flat(outputs[name]), option=orjson.OPT_SERIALIZE_NUMPY), piece)
    json_bytes = sum(map(len, parts))
    if mould.in_binary:
        for name in mould.in_binary:
            parts.append(outputs[name].tobytes())
        parts[0] = _BINARY_HEAD % (json_bytes + mould.blob_bytes, json_bytes)
    else:
        parts[0] = _JSON_HEAD % json_bytes
    return Response(200, (), whole=b"".join(parts))


def _flat(tensor: Tensor) -> Tensor:
    return np.ascontiguousarray(tensor).reshape(-1)
