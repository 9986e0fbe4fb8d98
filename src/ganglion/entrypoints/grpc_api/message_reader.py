"""Messages of gRPC out of the DATA of one stream: a prefix of five bytes, then the message, perhaps compressed."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.statuses import CallRefused
from ganglion.entrypoints.inference_api.limits import BodyBudget

PREFIX: Final = struct.Struct(">BL")
PREFIX_BYTES: Final = 5
_GZIP_BITS: Final = 31


class MessageReader:
    """Puts messages together. What is held, of these and of the caller, is taken from the budget that all share."""

    __slots__ = ("_budget", "_buffer", "_bytes_max", "_is_gzip", "_needed", "taken_bytes")

    def __init__(self, budget: BodyBudget, bytes_max: int, *, is_gzip: bool) -> None:
        self._budget, self._bytes_max, self._is_gzip = budget, bytes_max, is_gzip
        self._buffer: bytearray | None = None
        self._needed = PREFIX_BYTES
        """Bytes from the beginning of the buffer without which nothing goes on."""
        self.taken_bytes = 0

    @property
    def is_between_messages(self) -> bool:
        """Nothing of the next message has come."""
        return not self._buffer

    def whole(self, data: bytes, start: int, end: int) -> bytes | None:
        """Return the one plain message that `data` holds from `start` to `end`; None if it is anything else.

        Raises: CallRefused.
        """
        if self._buffer or end - start < PREFIX_BYTES or data[start]:
            return None
        length = PREFIX.unpack_from(data, start)[1]
        if length != end - start - PREFIX_BYTES or length > self._bytes_max:
            return None
        self._take(length)
        return data[start + PREFIX_BYTES : end]

    def feed(self, part: bytes) -> Iterator[bytes]:
        """Take bytes as they come, and yield the messages that are complete. Raises: CallRefused."""
        self._take(len(part))
        if self._buffer is None:
            self._buffer = bytearray()
        buffer = self._buffer
        buffer += part
        while len(buffer) >= self._needed:
            flag, length = PREFIX.unpack_from(buffer)
            if self._needed == PREFIX_BYTES:
                self._check(flag, length)
                self._needed = PREFIX_BYTES + length
                if len(buffer) < self._needed:
                    return
            with memoryview(buffer) as view:
                message = bytes(view[PREFIX_BYTES : self._needed])
            del buffer[: self._needed]
            self._needed = PREFIX_BYTES
            yield self._inflated(message) if flag else message

    def give_back(self, size_bytes: int | None = None) -> None:
        """Free `size_bytes` of what was taken, or all of it."""
        size_bytes = self.taken_bytes if size_bytes is None else min(size_bytes, self.taken_bytes)
        self._budget.give_back(size_bytes)
        self.taken_bytes -= size_bytes

    def discard(self) -> None:
        """Forget a message that will not be completed, and free everything."""
        self._buffer = None
        self.give_back()

    def _check(self, flag: int, length: int) -> None:
        if flag > 1 or (flag and not self._is_gzip):
            raise CallRefused(Status.INTERNAL, "a message is compressed, and the call names no grpc-encoding")
        if length > self._bytes_max:
            self._refuse_size(f"the message has {length} bytes")

    def _inflated(self, message: bytes) -> bytes:
        inflater = zlib.decompressobj(_GZIP_BITS)
        try:
            inflated = inflater.decompress(message, self._bytes_max + 1)
        except zlib.error as error:
            raise CallRefused(Status.INVALID_ARGUMENT, f"the message is no gzip: {error}") from error
        if len(inflated) > self._bytes_max:
            self._refuse_size("the message is longer when it is inflated")
        if not inflater.eof or inflater.unused_data:
            raise CallRefused(Status.INVALID_ARGUMENT, "the gzip of the message ends too early or too late")
        self._take(len(inflated))
        self.give_back(len(message))
        return inflated

    def _take(self, size_bytes: int) -> None:
        if not self._budget.take(size_bytes):
            raise CallRefused(Status.UNAVAILABLE, "too many large requests at a time")
        self.taken_bytes += size_bytes

    def _refuse_size(self, what: str) -> None:
        raise CallRefused(Status.RESOURCE_EXHAUSTED, f"{what}; at most {self._bytes_max} bytes are accepted")
