"""A large sample in two parts: its inputs, which are handed over by content, and the record that names them.

Put together again they are the very bytes that the node made, so nothing behind it can tell how a sample came.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.wire import codec
from ganglion.wire.records import SampleByContent


@dataclass(frozen=True, slots=True)
class Parted:
    """A sample's record without its inputs, and these."""

    payload: bytes
    """The msgpack of a `SampleByContent`."""
    sha256: str
    content: bytes


class _Inputs(msgspec.Struct, frozen=True):
    """The part of a sample that is large."""

    inputs: msgspec.Raw


def part(payload: bytes, *, inline_bytes_max: int) -> Parted | None:
    """Part a sample whose inputs are large even when compressed; None: it travels as it is."""
    if len(payload) <= inline_bytes_max:
        return None
    try:
        inputs = bytes(codec.decode_packed(payload, _Inputs).inputs)
    except InvalidRequest:
        return None
    content = codec.compress(inputs)
    if len(content) <= inline_bytes_max:
        return None
    before, _, after = payload.partition(inputs)
    sha256 = hashlib.sha256(content).hexdigest()
    named = SampleByContent(sha256=sha256, size_bytes=len(payload), before=before, after=after)
    return Parted(codec.encode_packed(named), sha256, content)


def join(named: SampleByContent, content: bytes) -> bytes:
    """Return the payload of the `SampleRecord` that was parted.

    Raises: InvalidRequest, TooLarge: the content is not zstd, or not as large as the record says.
    """
    inputs_bytes = named.size_bytes - len(named.before) - len(named.after)
    if inputs_bytes <= 0:
        raise InvalidRequest("a sample's inputs have a size")
    payload = named.before + codec.decompress(content, size_max=inputs_bytes) + named.after
    if len(payload) != named.size_bytes:
        raise InvalidRequest(f"the sample has {len(payload)} bytes, and {named.size_bytes} were announced")
    return payload
