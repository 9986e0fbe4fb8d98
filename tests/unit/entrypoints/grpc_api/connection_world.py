"""A connection without a network: a test says bytes, moves the clock, and reads the frames that come back."""

import asyncio
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import hpack

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Call, Methods, Status, StreamMethod, UnaryMethod
from ganglion.entrypoints.grpc_api.connection import Connection, Shared
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.session import Service
from ganglion.entrypoints.inference_api.limits import BodyBudget

END_STREAM, END_HEADERS, ACK = frames.END_STREAM, frames.END_HEADERS, frames.ACK
SMALL = GrpcLimits(
    head_bytes_max=2_000,
    message_bytes_max=200_000,
    bodies_bytes_max=300_000,
    connections_max=2,
    calls_max=4,
    window_bytes=65_535,
    connection_window_bytes=200_000,
    unsent_bytes_max=500_000,
    nuisances_max=20,
)
"""Limits that a test can reach."""
REQUEST = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/test.Echo/Unary",
    ":authority": "here",
    "content-type": "application/grpc",
    "te": "trailers",
}


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def number(self) -> int:
        """What RST_STREAM and WINDOW_UPDATE hold."""
        number: int = struct.unpack(">L", self.payload)[0]
        return number


def frames_of(data: bytes) -> list[Frame]:
    found = []
    while data:
        length = int.from_bytes(data[:3], "big")
        kind, flags, stream_id = struct.unpack(">BBL", data[3:9])
        assert len(data) >= 9 + length, "the server wrote part of a frame"
        found.append(Frame(kind, flags, stream_id, data[9 : 9 + length]))
        data = data[9 + length :]
    return found


def message(content: bytes) -> bytes:
    return struct.pack(">BL", 0, len(content)) + content


class Timer:
    """Something to be done later."""

    def __init__(self, when_s: float, act: Callable[[], object]) -> None:
        self.when_s, self.act, self.is_due = when_s, act, True

    def cancel(self) -> None:
        self.is_due = False


class HandLoop:
    """As much of a loop as a connection uses; a test moves its clock."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now_s

    def call_soon(self, act: Callable[[], object]) -> Timer:
        return self.call_at(self.now_s, act)

    def call_at(self, when_s: float, act: Callable[[], object]) -> Timer:
        self.timers.append(Timer(when_s, act))
        return self.timers[-1]

    def run(self) -> None:
        """Do everything that is due."""
        due = [timer for timer in self.timers if timer.when_s <= self.now_s]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            if timer.is_due:
                timer.act()


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_open, self.has_eof, self.reads = True, False, True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.is_open, "written to a closed connection"
        assert not self.has_eof, "written after the end"
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False

    def is_closing(self) -> bool:
        return not self.is_open

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


@dataclass
class Echo:
    """A service that sends back what it gets, at once, or when the test says so."""

    answers_at_once: bool = True
    calls: list[Call] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    ended: list[Call] = field(default_factory=list)

    @property
    def methods(self) -> Methods:
        return {
            "/test.Echo/Unary": UnaryMethod(self.answer),
            "/test.Echo/Stream": StreamMethod(lambda call: EchoStream(self, call)),
        }

    def hear(self, call: Call) -> None:
        self.calls.append(call)
        call.on_end(lambda: self.ended.append(call))

    def answer(self, content: bytes, call: Call) -> None:
        self.hear(call)
        self.heard.append(content)
        if self.answers_at_once:
            call.send(content)
            call.finish()


class EchoStream:
    def __init__(self, echo: Echo, call: Call) -> None:
        self._echo, self._call = echo, call
        echo.hear(call)

    def receive(self, content: bytes) -> None:
        self._echo.heard.append(content)
        if self._echo.answers_at_once:
            self._call.send(content)

    def end(self) -> None:
        if self._echo.answers_at_once:
            self._call.finish()


class ConnectionWorld:
    """A client that says anything, and the server's side of its connection."""

    def __init__(
        self,
        limits: GrpcLimits = SMALL,
        *,
        methods: Methods | None = None,
        answers_at_once: bool = True,
        has_begun: bool = True,
    ) -> None:
        self.loop, self.wire, self.echo = HandLoop(), Wire(), Echo(answers_at_once)
        self.budget = BodyBudget(limits.bodies_bytes_max)
        self.budget_full = limits.bodies_bytes_max
        self.shared = Shared(Service(limits, self.budget, methods or self.echo.methods))
        self.connection = Connection(self.shared, cast("asyncio.AbstractEventLoop", self.loop))
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self._read = 0
        self.connection.connection_made(self.wire)
        if has_begun:
            self.say(frames.PREFACE + frames.settings([]))
            self.frames()

    # --- the client -----------------------------------------------------------------------------------

    def say(self, *parts: bytes) -> None:
        self.connection.data_received(b"".join(parts))

    def headers(
        self, changes: Mapping[str, str | None] | None = None, /, *, stream_id: int = 1, flags: int = 0
    ) -> bytes:
        """Return HEADERS of a call, with fields changed, added or (None) left out."""
        fields = {name: value for name, value in {**REQUEST, **(changes or {})}.items() if value is not None}
        block = self.encoder.encode(list(fields.items()))
        return frames.frame(frames.HEADERS, flags | END_HEADERS, stream_id, block)

    def data(self, payload: bytes = b"", *, stream_id: int = 1, flags: int = END_STREAM) -> bytes:
        return frames.frame(frames.DATA, flags, stream_id, payload)

    def call(self, content: bytes = b"hello", *, stream_id: int = 1) -> bytes:
        """Return a whole unary call."""
        return self.headers(stream_id=stream_id) + self.data(message(content), stream_id=stream_id)

    # --- what comes back ------------------------------------------------------------------------------

    def frames(self) -> list[Frame]:
        """Return the frames that came since the last look."""
        fresh, self._read = self.wire.written[self._read :], len(self.wire.written)
        return frames_of(fresh)

    def fields(self, frame: Frame) -> dict[str, str]:
        assert frame.kind == frames.HEADERS
        return {str(name): str(value) for name, value in self.decoder.decode(frame.payload)}

    def status(self, came: list[Frame] | None = None) -> tuple[Status, str]:
        """Return status and text of the call that ended last."""
        ends = [self.fields(frame) for frame in (came or self.frames()) if frame.kind == frames.HEADERS]
        return Status(int(ends[-1]["grpc-status"])), ends[-1].get("grpc-message", "")

    def goaway(self) -> tuple[ErrorCode, int]:
        """Return why the server ended the connection, and the last stream that it looked at."""
        (farewell,) = [frame for frame in self.frames() if frame.kind == frames.GOAWAY]
        last_id, code = struct.unpack(">LL", farewell.payload[:8])
        assert self.wire.has_eof
        return ErrorCode(code), last_id

    def reset(self) -> ErrorCode:
        """Return why the server ended a stream; the connection goes on."""
        (frame,) = [frame for frame in self.frames() if frame.kind == frames.RST_STREAM]
        assert not self.wire.has_eof
        return ErrorCode(frame.number)

    def is_well(self, stream_id: int = 101) -> bool:
        """Say whether the connection answers a call."""
        self.frames()
        self.say(self.call(b"well", stream_id=stream_id))
        return [frame.payload for frame in self.frames() if frame.kind == frames.DATA] == [message(b"well")]

    def pass_s(self, seconds: float) -> None:
        self.loop.now_s += seconds
        self.loop.run()
        self.connection.sweep(self.loop.now_s)

    @property
    def budget_is_whole(self) -> bool:
        """Nothing is held that no call needs."""
        if not self.budget.take(self.budget_full):
            return False
        self.budget.give_back(self.budget_full)
        return True
