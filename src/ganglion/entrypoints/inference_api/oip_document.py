"""The JSON of an inference request, as types: decoding is the validation of everything but tensors."""

from typing import Annotated

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.node.domain.serving.sequences import SequencePlace

Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 48)]
Shape = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0)], ...], msgspec.Meta(max_length=32)]

TENSORS_MAX = 64
NOT_SENT = msgspec.Raw()
_CLASSES_MAX = 65_536


class Placement(msgspec.Struct, frozen=True):
    """Parameters of a tensor: where its bytes are, or shall be. Others are ignored."""

    binary_data_size: Size | None = None
    binary_data: bool | None = None
    classification: Annotated[int, msgspec.Meta(ge=0, le=_CLASSES_MAX)] = 0
    shared_memory_region: str | None = None
    shared_memory_offset: Size = 0
    shared_memory_byte_size: Size | None = None


class InputItem(msgspec.Struct, frozen=True):
    """One tensor that a client sends."""

    name: str
    shape: Shape
    datatype: str
    parameters: Placement = Placement()
    data: msgspec.Raw = NOT_SENT


class OutputItem(msgspec.Struct, frozen=True):
    """One tensor that a client wants."""

    name: str
    parameters: Placement = Placement()


class Options(msgspec.Struct, frozen=True):
    """Parameters of a request. Others, such as `priority`, mean nothing here and are ignored."""

    binary_data_output: bool = False
    timing: bool = False
    """Tell in the answer where the time went."""
    timeout: Size = 0
    """Microseconds after which it is no longer worth beginning; 0 means never."""
    sequence_id: int | str = ""
    """Names a row of requests to a model with state; 0 or empty means none."""
    ganglion_key: int | str = ""
    """Requests with the same key get the same version, where versions share the requests."""
    sequence_start: bool = False
    sequence_end: bool = False

    @property
    def place(self) -> SequencePlace | None:
        """The place in its sequence, if it is in one."""
        if not self.sequence_id:
            return None
        return SequencePlace(str(self.sequence_id), is_first=self.sequence_start, is_last=self.sequence_end)


class Document(msgspec.Struct, frozen=True):
    """The whole request."""

    inputs: Annotated[tuple[InputItem, ...], msgspec.Meta(max_length=TENSORS_MAX)]
    id: str = ""
    parameters: Options = Options()
    outputs: Annotated[tuple[OutputItem, ...], msgspec.Meta(max_length=TENSORS_MAX)] = ()


_DECODER = msgspec.json.Decoder(Document)


def parse(data: bytes) -> Document:
    """Decode a request's JSON. Raises: InvalidRequest: with the field that is wrong."""
    if not data:
        raise InvalidRequest("there is no JSON in the body: send it with Content-Length, or chunked")
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the request is not an inference request: {error}") from error
