"""Bytes of messages: JSON for what people read, msgpack in zstd for batches. Typed decoding is the validation."""

import sys
from typing import TypeVar

import msgspec

from ganglion.core.errors import InvalidRequest, TooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

M = TypeVar("M")

BATCH_TYPE = "application/vnd.ganglion.batch+msgpack+zstd"
CONTENT_TYPE = "application/octet-stream"
JSON_TYPE = "application/json"
_LEVEL = 3


def encode_json(message: msgspec.Struct) -> bytes:
    """Return `message` as JSON."""
    return msgspec.json.encode(message)


def decode_json(data: bytes, kind: type[M]) -> M:
    """Raises: InvalidRequest: not JSON, or not of this kind."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"{kind.__name__}: {error}") from error


def encode_packed(message: msgspec.Struct) -> bytes:
    """Return `message` as msgpack."""
    return msgspec.msgpack.encode(message)


def decode_packed(data: bytes, kind: type[M]) -> M:
    """Raises: InvalidRequest: not msgpack, or not of this kind."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"{kind.__name__}: {error}") from error


def compress(data: bytes) -> bytes:
    """Return `data` in one zstd frame."""
    return zstd.compress(data, level=_LEVEL)


def decompress(data: bytes, *, size_max: int) -> bytes:
    """Undo `compress`, and stop at `size_max` bytes whatever the frame promises.

    Raises: InvalidRequest: not one whole zstd frame. TooLarge: more than `size_max` bytes inside.
    """
    decompressor = zstd.ZstdDecompressor()
    try:
        plain = decompressor.decompress(data, max_length=size_max + 1)
    except zstd.ZstdError as error:
        raise InvalidRequest(f"the body is not zstd: {error}") from error
    if len(plain) > size_max:
        raise TooLarge(f"the body holds more than {size_max} bytes")
    if not decompressor.eof:
        raise InvalidRequest("the zstd frame is cut short")
    if decompressor.unused_data:
        raise InvalidRequest("there are bytes behind the zstd frame")
    return plain
