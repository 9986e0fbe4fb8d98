"""Encodes a model's answer as a `ModelInferResponse`, with its outputs raw or in shared memory.

Everything but the request's id and the numbers is the same in each plain answer of one form, and is prepared once.
"""

from typing import TypeAlias

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import to_bytes
from ganglion.entrypoints.grpc_api import message_bytes
from ganglion.entrypoints.inference_api.memo import Memo
from ganglion.entrypoints.inference_api.oip_response import Memory
from ganglion.entrypoints.inference_api.sent_outputs import as_sent, bf16_of, timing_of, wishes_of
from ganglion.entrypoints.inference_api.wishes import OutputChoice, Span, Wish
from ganglion.node.services.serving.answers import Inferred

_KNOWN_MAX = 512
_MODEL, _VERSION, _ID, _PARAMETERS, _OUTPUTS, _RAW = range(1, 7)
_NAME, _DATATYPE, _SHAPE, _OUTPUT_PARAMETERS = range(1, 5)
_ERROR_MESSAGE, _INFER_RESPONSE = 1, 2
_SHORT = 128
_FINAL = message_bytes.parameters(_PARAMETERS, {"triton_final_response": True})
_Form: TypeAlias = tuple[str, str, OutputChoice, tuple[tuple[tuple[int, ...], int], ...]]


class _Mould(msgspec.Struct, frozen=True, gc=False):
    """An answer without its id and its numbers."""

    before_id: bytes
    outputs: bytes
    names: tuple[str, ...]
    befores: tuple[bytes, ...]
    """What stands before the bytes of each."""


class GrpcResponseEncoder:
    """Encodes answers and remembers forms. For one thread."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._moulds: Memo[_Form, _Mould] = Memo(_KNOWN_MAX)

    def encode(self, choice: OutputChoice, wants_timing: bool, inferred: Inferred) -> bytes:  # noqa: FBT001 - bound in this order
        """Return the message with the chosen outputs, in the order in which they were asked for.

        Raises: InvalidRequest, NotFound: the outputs cannot have the form that was asked for.
        """
        return b"".join(self._parts(choice, wants_timing=wants_timing, inferred=inferred, more=b""))

    def encode_in_stream(self, choice: OutputChoice, wants_timing: bool, inferred: Inferred) -> bytes:  # noqa: FBT001 - as above
        """Return the same as a `ModelStreamInferResponse`, which says that it is the only answer."""
        parts = self._parts(choice, wants_timing=wants_timing, inferred=inferred, more=_FINAL)
        return b"".join((message_bytes.before(_INFER_RESPONSE, sum(map(len, parts))), *parts))

    def _parts(self, choice: OutputChoice, *, wants_timing: bool, inferred: Inferred, more: bytes) -> list[bytes]:
        name, outputs = inferred.name, inferred.answer.outputs
        form = (
            name.model,
            name.version,
            choice,
            tuple([(tensor.shape, tensor.dtype.num) for tensor in outputs.values()]),
        )
        mould = self._moulds.get(form)
        if mould is None:
            mould = _mould_of(inferred, choice)
            if mould is None:
                return self._parts_freely(inferred, choice, wants_timing=wants_timing, more=more)
            self._moulds.remember(form, mould)
        raw_id = name.request_id.encode()
        size = len(raw_id)
        parts = [
            mould.before_id,
            b"\x1a%c%b" % (size, raw_id) if 0 < size < _SHORT else message_bytes.text(_ID, name.request_id),
            more,
            _timing(inferred) if wants_timing else b"",
            mould.outputs,
        ]
        for output, before in zip(mould.names, mould.befores, strict=True):
            parts += (before, outputs[output].tobytes())
        return parts

    def _parts_freely(
        self, inferred: Inferred, choice: OutputChoice, *, wants_timing: bool, more: bytes
    ) -> list[bytes]:
        """Encode what no mould has: text, and other places than the answer."""
        raws: list[bytes] = []
        outputs = [self._output(inferred, name, wish, raws) for name, wish in wishes_of(inferred, choice)]
        parts = [_before_id(inferred), message_bytes.text(_ID, inferred.name.request_id), more]
        if wants_timing:
            parts.append(_timing(inferred))
        parts += outputs
        for raw in raws:
            parts += (message_bytes.before(_RAW, len(raw)), raw)
        return parts

    def _output(self, inferred: Inferred, name: str, wish: Wish, raws: list[bytes]) -> bytes:
        tensor, datatype = as_sent(inferred, name, wish)
        data, said = to_bytes(tensor, datatype), b""
        if wish.span is None:
            raws.append(data)
        else:
            said = self._put(wish.span, data, name)
        return _output_field(name, datatype, tensor.shape, said)

    def _put(self, span: Span, data: bytes, name: str) -> bytes:
        if self._memory is None:
            raise InvalidRequest(f"output {name!r}: shared memory is not supported here")
        self._memory.write(span.region, span.offset, data, room=span.size_bytes)
        placement: dict[str, str | int | bool] = {
            "shared_memory_region": span.region,
            "shared_memory_offset": span.offset,
            "shared_memory_byte_size": len(data),
        }
        return message_bytes.parameters(_OUTPUT_PARAMETERS, placement)


def stream_error(text: str, *, model: str, request_id: str) -> bytes:
    """Return a `ModelStreamInferResponse` that says why a request failed, and which."""
    response = message_bytes.text(_MODEL, model) + message_bytes.text(_ID, request_id) + _FINAL
    return message_bytes.text(_ERROR_MESSAGE, text or "failed") + message_bytes.field(_INFER_RESPONSE, response)


def _mould_of(inferred: Inferred, choice: OutputChoice) -> _Mould | None:
    """Return the mould of answers like this one; None when more than numbers may change."""
    wishes = wishes_of(inferred, choice)
    is_plain = not any(wish.classes or wish.span for _, wish in wishes) and not bf16_of(inferred)
    if not is_plain or any(tensor.dtype.kind == "O" for tensor in inferred.answer.outputs.values()):
        return None
    sent = {name: as_sent(inferred, name, wish) for name, wish in wishes}
    return _Mould(
        before_id=_before_id(inferred),
        outputs=b"".join(
            [_output_field(name, datatype, tensor.shape, b"") for name, (tensor, datatype) in sent.items()]
        ),
        names=tuple(sent),
        befores=tuple([message_bytes.before(_RAW, tensor.nbytes) for tensor, _ in sent.values()]),
    )


def _before_id(inferred: Inferred) -> bytes:
    return message_bytes.text(_MODEL, inferred.name.model) + message_bytes.text(_VERSION, inferred.name.version)


def _timing(inferred: Inferred) -> bytes:
    return message_bytes.parameters(_PARAMETERS, dict(timing_of(inferred.stages)))


def _output_field(name: str, datatype: str, shape: tuple[int, ...], more: bytes) -> bytes:
    said = message_bytes.text(_NAME, name) + message_bytes.text(_DATATYPE, datatype)
    return message_bytes.field(_OUTPUTS, said + message_bytes.shape(_SHAPE, shape) + more)
