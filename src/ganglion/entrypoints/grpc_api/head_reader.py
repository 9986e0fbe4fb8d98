"""The header blocks of one connection: put together, decoded in their order, and known again when they repeat."""

from typing import Final

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode
from ganglion.entrypoints.grpc_api.hpack import Field, HeaderDecoder
from ganglion.entrypoints.grpc_api.request_head import RequestHead, request_head, too_large
from ganglion.entrypoints.inference_api.memo import Memo

_KNOWN_MAX: Final = 16
_KNOWN_BYTES_MAX: Final = 512
"""Longer blocks hold what does not repeat."""


class HeadReader:
    """See the module docstring. Every block must be decoded, even one that nobody wants: the table depends on it."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._decoder = HeaderDecoder(bytes_max)
        self._known: Memo[bytes, RequestHead] = Memo(_KNOWN_MAX)
        """By their bytes; the table has not changed since."""
        self._block = bytearray()
        self._flags = 0
        self.stream_id = 0
        """The stream whose block is not complete; 0: there is none, and any frame may come."""

    def begin(self, stream_id: int, flags: int, fragment: bytes) -> None:
        """Keep the first part of a block that CONTINUATION frames complete."""
        self.stream_id, self._flags = stream_id, flags
        self._block = bytearray(fragment)

    def go_on(self, stream_id: int, flags: int, fragment: bytes) -> tuple[int, bytes] | None:
        """Return the flags of HEADERS and the block, when it is complete. Raises: ConnectionFault."""
        if not self.stream_id or stream_id != self.stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION continues nothing")
        self._block += fragment
        if len(self._block) > 2 * self._bytes_max:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block does not end")
        if not flags & frames.END_HEADERS:
            return None
        self.stream_id = 0
        block, self._block = bytes(self._block), bytearray()
        return self._flags, block

    def head(self, block: bytes) -> RequestHead:
        """Return the head of a call. Raises: Malformed, ConnectionFault."""
        head = self._known.get(block)
        if head is not None:
            return head
        generation = self._decoder.generation
        fields = self._decoder.decode(block)
        if self._decoder.generation != generation:
            if len(self._known):
                self._known = Memo(_KNOWN_MAX)
            return self._head(fields)
        head = self._head(fields)
        if len(block) <= _KNOWN_BYTES_MAX:
            self._known.remember(block, head)
        return head

    def fields(self, block: bytes) -> list[Field]:
        """Return the fields of trailers. Raises: ConnectionFault."""
        generation = self._decoder.generation
        fields = self._decoder.decode(block)
        if self._decoder.generation != generation:
            self._known = Memo(_KNOWN_MAX)
        return fields

    def _head(self, fields: list[Field]) -> RequestHead:
        return too_large(self._bytes_max) if self._decoder.is_too_large else request_head(fields)
