"""HTTP/2 of one connection as gRPC needs it, rule by rule: from frames to calls.

Source: RFC 9113; the sections stand beside the rules.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Methods, Status
from ganglion.entrypoints.grpc_api.control import LAST_CALLS, ControlFrames
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode, StreamFault
from ganglion.entrypoints.grpc_api.head_reader import HeadReader
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.outgoing import Outgoing, Sender
from ganglion.entrypoints.grpc_api.request_head import Malformed, check_trailers
from ganglion.entrypoints.grpc_api.statuses import ANSWER_FIELDS, status_fields
from ganglion.entrypoints.grpc_api.stream import ServerCall
from ganglion.entrypoints.inference_api.limits import BodyBudget
from ganglion.entrypoints.inference_api.memo import Memo

_CUT_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Service:
    """What a server offers on every connection."""

    limits: GrpcLimits
    budget: BodyBudget
    methods: Methods


class Session:
    """See the module docstring. Whatever it says goes to `out`; `on_left` hears that nothing more will be said."""

    def __init__(
        self, service: Service, loop: asyncio.AbstractEventLoop, out: Outgoing, on_left: Callable[[], None]
    ) -> None:
        self.loop, self.out, self._on_left = loop, out, on_left
        self.limits, self.budget, self._methods = service.limits, service.budget, service.methods
        self.is_local = False
        self.certificate = ""
        self.calls: dict[int, ServerCall] = {}
        self._heads = HeadReader(service.limits.head_bytes_max)
        self._cut: Memo[int, bool] = Memo(_CUT_MAX)
        """Streams that ended on this side first: what their clients still send is passed over."""
        self._rest = b""
        """The beginning of a frame."""
        self._has_preface = self._is_leaving = False
        self._last_id = 0
        self._untold_bytes = 0
        """DATA that has come, and that the client was not yet given room for again."""
        self.control = ControlFrames(out, self.calls, self.limits.nuisances_max, self._leave_now)

    @property
    def is_between_frames(self) -> bool:
        """Nothing that has begun is incomplete, apart from calls."""
        return self.control.has_settings and not self._rest and not self._heads.stream_id

    # --- said by this side ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Say what this server takes."""
        limits = self.limits
        pairs = (
            (frames.MAX_CONCURRENT_STREAMS, limits.calls_max),
            (frames.INITIAL_WINDOW_SIZE, limits.window_bytes),
            (frames.MAX_HEADER_LIST_SIZE, limits.head_bytes_max),
        )
        self.out.put(frames.settings(pairs))
        self.out.put(frames.window_update(0, limits.connection_window_bytes - frames.WINDOW))

    def announce_leave(self) -> None:
        """Ask for no more calls. Those that are on their way have come when the client answers the ping (6.8)."""
        self.out.put(frames.goaway(frames.NUMBER_MAX, ErrorCode.NO_ERROR, "the server stops"))
        self.out.put(frames.frame(frames.PING, 0, 0, LAST_CALLS))

    def leave(self, reason: str) -> None:
        """Take no call after the last one that has come, and go when all are answered."""
        if self._is_leaving:
            return
        self._is_leaving = True
        self.out.put(frames.goaway(self._last_id, ErrorCode.NO_ERROR, reason))
        if not self.calls:
            self._on_left()

    def _leave_now(self) -> None:
        self.leave("the server stops")

    def give_up(self, fault: ConnectionFault) -> None:
        """Say why nothing more can be understood."""
        self.end_calls()
        self.out.put(frames.goaway(self._last_id, fault.code, fault.reason))

    def end_calls(self) -> None:
        """End every call: nobody hears the answers."""
        for stream_id in list(self.calls):
            self._end_call(stream_id)

    def forget(self, call: Sender) -> None:
        """Hear that a stream has ended on this side; one whose client goes on sending is cut off (8.1)."""
        if self.calls.pop(call.stream_id, None) is not None and not call.is_complete:
            self._cut_off(call.stream_id, ErrorCode.NO_ERROR)
        if self._is_leaving and not self.calls:
            self._on_left()

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once."""
        self._end_call(stream_id)
        self._cut_off(stream_id, code)

    def _cut_off(self, stream_id: int, code: ErrorCode) -> None:
        self._cut.remember(stream_id, True)
        self.out.put(frames.rst_stream(stream_id, code))

    def _end_call(self, stream_id: int) -> None:
        call = self.calls.pop(stream_id, None)
        self.out.drop(stream_id)
        if call is not None:
            call.end()
        if self._is_leaving and not self.calls:
            self._on_left()

    # --- said by the client ---------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take bytes as they come. Raises: ConnectionFault: the client broke a rule, and nothing can be read on."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        if not self._has_preface:
            at = self._read_preface(data)
        while self._has_preface and size - at >= frames.HEAD_BYTES:
            high, low, kind, flags, stream_id = frames.HEAD.unpack_from(data, at)
            length = high << 8 | low
            start = at + frames.HEAD_BYTES
            at = start + length
            if length > frames.FRAME_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame has {length} bytes")
            if at > size:
                at = start - frames.HEAD_BYTES
                break
            try:
                self._take(kind, flags, stream_id & frames.NUMBER_MAX, data, start, end=at)
            except StreamFault as fault:
                self.control.count_nuisance("too many broken calls")
                self.reset(fault.stream_id, fault.code)
        self._rest = data[at:] if at < size else b""

    def _read_preface(self, data: bytes) -> int:
        """Return where the frames begin (3.4)."""
        begun = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(begun):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "this is not the beginning of HTTP/2")
        self._has_preface = len(begun) == len(frames.PREFACE)
        return len(begun) if self._has_preface else 0

    def _take(self, kind: int, flags: int, stream_id: int, data: bytes, start: int, *, end: int) -> None:
        if self._heads.stream_id and kind != frames.CONTINUATION:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a header block is interrupted")  # 6.10
        if not self.control.has_settings and (kind != frames.SETTINGS or flags & frames.ACK):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")  # 3.4
        if kind == frames.DATA:
            self._on_data(flags, stream_id, data, start, end)
        elif kind == frames.HEADERS:
            self._on_headers(flags, stream_id, data[start:end])
        elif kind == frames.WINDOW_UPDATE:
            self._on_window_update(stream_id, data[start:end])
        elif kind == frames.RST_STREAM:
            self._on_rst_stream(stream_id, data[start:end])
        elif kind == frames.CONTINUATION:
            self._on_continuation(flags, stream_id, data[start:end])
        else:
            self.control.take(kind, flags, stream_id, data[start:end])

    # --- calls ----------------------------------------------------------------------------------------

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "clients open odd streams")  # 5.1.1
        if flags & (frames.PADDED | frames.WITH_PRIORITY):
            payload = frames.header_fragment(payload, flags)
        if flags & frames.END_HEADERS:
            self._on_block(flags, stream_id, payload)
        else:
            self._heads.begin(stream_id, flags, payload)

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        self.control.count_nuisance("too many continuations")
        complete = self._heads.go_on(stream_id, flags, payload)
        if complete is not None:
            self._on_block(complete[0], stream_id, complete[1])

    def _on_block(self, flags: int, stream_id: int, block: bytes) -> None:
        if stream_id <= self._last_id:
            self._on_trailers(flags, stream_id, block)
            return
        if self._is_leaving:
            self._heads.fields(block)
            return  # 6.8: the client knows that nobody looks at it.
        is_end = bool(flags & frames.END_STREAM)
        try:
            head = self._heads.head(block)
        except Malformed as error:
            self._last_id = stream_id
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(error)) from error
        self._last_id = stream_id
        if len(self.calls) >= self.limits.calls_max:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "too many calls at a time")
        method = self._methods.get(head.path)
        if head.refusal or method is None:
            text = f"there is no method {head.path[:200]!r}"
            self._refuse(stream_id, head.refusal or ANSWER_FIELDS + status_fields(Status.UNIMPLEMENTED, text), is_end)
            return
        call = self.calls[stream_id] = ServerCall(self, stream_id, head, method)
        call.begin()
        if is_end:
            self._end_of_call(call)

    def _end_of_call(self, call: ServerCall) -> None:
        call.take(b"", 0, 0, is_end=True)

    def _refuse(self, stream_id: int, fields: bytes, is_end: bool) -> None:  # noqa: FBT001 - as in the frame
        self.out.put_fields(stream_id, fields, is_end=True)
        if not is_end:
            self._cut_off(stream_id, ErrorCode.NO_ERROR)

    def _on_trailers(self, flags: int, stream_id: int, block: bytes) -> None:
        fields = self._heads.fields(block)
        call = self.calls.get(stream_id)
        if call is None and self._cut.get(stream_id):
            return
        if call is None or call.is_complete:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")  # 5.1
        try:
            check_trailers(fields)
        except Malformed as error:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(error)) from error
        if not flags & frames.END_STREAM:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "trailers do not end the stream")  # 8.1
        self._end_of_call(call)

    def _on_data(self, flags: int, stream_id: int, data: bytes, start: int, end: int) -> None:
        self._untold_bytes += end - start
        if self._untold_bytes > self.limits.connection_window_bytes // 2:
            self.out.put(frames.window_update(0, self._untold_bytes))
            self._untold_bytes = 0
        size = end - start
        if flags & frames.PADDED:
            data = frames.without_padding(data[start:end], flags)
            start, end = 0, len(data)
        call = self.calls.get(stream_id)
        if call is None or call.is_complete:
            self._on_stray(stream_id)
        elif flags & frames.END_STREAM:
            call.take(data, start, end, is_end=True)
        else:
            if start == end:
                self.control.count_nuisance("too many frames without content")
            call.make_room(size)
            call.take(data, start, end, is_end=False)

    def _on_stray(self, stream_id: int) -> None:
        """Judge DATA for a stream that takes none (5.1)."""
        if not self._cut.get(stream_id):
            self._check_begun(stream_id)
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "DATA on a closed stream")

    def _check_begun(self, stream_id: int) -> None:
        if not stream_id & 1 or (stream_id > self._last_id and not self._is_leaving):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the stream was never opened")  # 5.1: idle

    def _on_rst_stream(self, stream_id: int, payload: bytes) -> None:
        frames.number_of(payload)
        self._check_begun(stream_id)  # 6.4
        if stream_id in self.calls:
            # Calls that are begun and taken back cost the server more than the client (CVE-2023-44487).
            self.control.count_nuisance("too many calls were taken back")
            self._end_call(stream_id)

    def _on_window_update(self, stream_id: int, payload: bytes) -> None:
        increment = frames.number_of(payload) & frames.NUMBER_MAX
        call = self.calls.get(stream_id)
        if not stream_id:
            if not increment:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")  # 6.9
            self.out.widen(increment)
        elif call is None:
            self._check_begun(stream_id)
        elif not increment:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        elif not self.out.widen_stream(call, increment):
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "the window is above 2^31-1")
