"""The sending half of a connection: whole answers in one write, and the rest as the client's windows allow."""

import asyncio
import struct
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode
from ganglion.entrypoints.grpc_api.hpack import EMPTY_TABLE, TABLE_BYTES
from ganglion.entrypoints.grpc_api.message_reader import PREFIX_BYTES
from ganglion.entrypoints.grpc_api.statuses import ANSWER_FIELDS, OK_FIELDS

_BURST_BYTES: Final = 262_144
"""What is gathered before it is written."""
_TURN_FRAMES: Final = 16
"""Frames of one stream before the next has its turn."""

_ANSWER_START: Final = frames.frame(frames.HEADERS, frames.END_HEADERS, 0, ANSWER_FIELDS)[:5]
_TRAILERS_FLAGS: Final = frames.END_HEADERS | frames.END_STREAM
_TRAILERS_START: Final = frames.frame(frames.HEADERS, _TRAILERS_FLAGS, 0, OK_FIELDS)[:5]
_MESSAGE_START: Final = struct.Struct(">HBBBLBL")
"""The head of a DATA frame, and the prefix of the message in it."""


class Sender(Protocol):
    """A call, as its connection sends it."""

    stream_id: int
    window: int
    """What the client takes on this stream; negative after it has made the windows smaller."""
    unsent: "deque[bytes | memoryview] | None"
    unsent_bytes: int
    trailers: bytes | None
    """What ends the stream, after everything unsent."""
    is_complete: bool
    """The client has sent everything."""

    def release(self) -> None:
        """Send what was held back to be sent together with the trailers."""
        ...

    def drained(self) -> None:
        """Hear that nothing is unsent, for now."""
        ...

    def close(self) -> None:
        """Hear that everything was sent, the trailers too."""
        ...


class Outgoing:
    """See the module docstring. While it is corked, everything is gathered for one write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes | memoryview] = []
        self._size = 0
        self._is_corked = self._is_blocked = self._is_release_due = False
        self._held: list[Sender] = []
        self._waiting: dict[int, Sender] = {}
        """Calls with something unsent."""
        self._table_update, self._is_table_empty = b"", False
        self.window = self.window_initial = frames.WINDOW
        self.frame_bytes_max = frames.FRAME_BYTES
        self.is_plain = True
        """Whole answers may be written without another look."""

    def open(self, transport: asyncio.Transport) -> None:
        """Begin to write to `transport`."""
        self._transport = transport

    def shut(self) -> None:
        """Write nothing more, and forget what waits."""
        self._transport = None
        self._parts.clear()
        self._held.clear()
        self._waiting.clear()
        self.is_plain = False

    # --- writing --------------------------------------------------------------------------------------

    def cork(self) -> None:
        """Gather from now on."""
        self._is_corked = True

    def uncork(self) -> None:
        """Write what was gathered."""
        if self._held:
            self._release()
        self._is_corked = False
        if self._parts:
            self._write()

    def put(self, part: bytes | memoryview) -> None:
        """Write now, or with what is gathered."""
        self._parts.append(part)
        if not self._is_corked:
            self._write()

    def put_answer(self, stream_id: int, message: bytes) -> None:
        """Write a whole answer of one message. `is_plain`, and the windows, must allow it."""
        size = len(message) + PREFIX_BYTES
        stream = stream_id.to_bytes(4, "big")
        start = _MESSAGE_START.pack(size >> 8, size & 0xFF, frames.DATA, 0, stream_id, 0, size - PREFIX_BYTES)
        self._parts += (_ANSWER_START, stream, ANSWER_FIELDS, start, message, _TRAILERS_START, stream, OK_FIELDS)
        if not self._is_corked:
            self._write()

    def put_fields(self, stream_id: int, fields: bytes, *, is_end: bool) -> None:
        """Write a header block."""
        flags = _TRAILERS_FLAGS if is_end else frames.END_HEADERS
        self.put(frames.frame(frames.HEADERS, flags, stream_id, self._table_update + fields))
        if self._table_update:
            self._table_update = b""
            self.is_plain = not self._is_blocked

    def _write(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if self._transport is not None:
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    # --- answers of several parts, and those that must wait -------------------------------------------

    def hold(self, call: Sender) -> None:
        """Release `call` at the end of this turn of the loop, if it has not finished by then."""
        self._held.append(call)
        if not self._is_corked and not self._is_release_due:
            self._is_release_due = True
            self._loop.call_soon(self._release)

    def _release(self) -> None:
        held, self._held, self._is_release_due = self._held, [], False
        for call in held:
            call.release()

    def send(self, call: Sender) -> None:
        """Send of a call what its client takes now, and the rest as soon as it makes room."""
        if not call.unsent:
            self._end(call)
            return
        self._waiting[call.stream_id] = call
        self._pump()

    def drop(self, stream_id: int) -> None:
        """Send nothing more of a call."""
        self._waiting.pop(stream_id, None)

    def block(self) -> None:
        """Stop: what was written is not on its way yet."""
        self._is_blocked, self.is_plain = True, False

    def unblock(self) -> None:
        """Go on."""
        self._is_blocked, self.is_plain = False, not self._table_update
        self._pump()

    def _pump(self) -> None:
        """Give every waiting call its turn, until none can go on."""
        if self.window <= 0 or self._is_blocked:
            return
        was_corked, self._is_corked = self._is_corked, True
        has_progressed = True
        while has_progressed and self._waiting:
            has_progressed = False
            for call in list(self._waiting.values()):
                has_progressed = self._send_some(call) or has_progressed
        self._is_corked = was_corked
        if self._parts and not was_corked:
            self._write()

    def _send_some(self, call: Sender) -> bool:
        """Send a few frames of a call; False: it could send nothing."""
        for turn in range(_TURN_FRAMES):
            unsent = call.unsent
            if not unsent:
                self._end(call)
                return True
            room = min(self.window, call.window, self.frame_bytes_max)
            if room <= 0 or self._is_blocked:
                return turn > 0
            part = unsent.popleft()
            if len(part) > room:
                view = memoryview(part)
                part = view[:room]
                unsent.appendleft(view[room:])
            self._put_part(call, part)
        return True

    def _put_part(self, call: Sender, part: bytes | memoryview) -> None:
        size = len(part)
        self.window -= size
        call.window -= size
        call.unsent_bytes -= size
        self._parts += (frames.HEAD.pack(size >> 8, size & 0xFF, frames.DATA, 0, call.stream_id), part)
        self._size += size
        if self._size > _BURST_BYTES:
            self._write()

    def _end(self, call: Sender) -> None:
        self._waiting.pop(call.stream_id, None)
        if call.trailers is None:
            call.drained()
        else:
            self.put_fields(call.stream_id, call.trailers, is_end=True)
            call.close()

    # --- what the client says of its side -------------------------------------------------------------

    def widen(self, increment: int) -> None:
        """Take the client's word for more room on the connection. Raises: ConnectionFault: more than there is."""
        if self.window + increment > frames.NUMBER_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of the connection is above 2^31-1")
        self.window += increment
        if self._waiting:
            self._pump()

    def widen_stream(self, call: Sender, increment: int) -> bool:
        """Take the client's word for more room on a stream; False: more than a window may have."""
        if call.window + increment > frames.NUMBER_MAX:
            return False
        call.window += increment
        if call.stream_id in self._waiting:
            self._pump()
        return True

    def resize_streams(self, window: int, calls: Iterable[Sender]) -> None:
        """Take the client's word for the window of streams, the open ones too (6.9.2). Raises: ConnectionFault."""
        growth, self.window_initial = window - self.window_initial, window
        for call in calls:
            if call.window + growth > frames.NUMBER_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is above 2^31-1")
            call.window += growth
        if growth > 0 and self._waiting:
            self._pump()

    def limit_table(self, size_bytes: int) -> None:
        """Hear how large this side's dynamic table may be. None is used, but a smaller one must be acknowledged."""
        if size_bytes < TABLE_BYTES and not self._is_table_empty:
            self._table_update, self._is_table_empty, self.is_plain = EMPTY_TABLE, True, False
