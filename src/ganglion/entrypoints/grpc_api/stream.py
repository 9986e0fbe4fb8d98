"""One call of a client: takes messages apart, gives them to the method, and ends once, whatever comes first."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping

import structlog

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Status, Stream, StreamMethod, UnaryMethod
from ganglion.entrypoints.grpc_api.frames import ErrorCode, StreamFault
from ganglion.entrypoints.grpc_api.link import Link
from ganglion.entrypoints.grpc_api.message_reader import PREFIX, PREFIX_BYTES, MessageReader
from ganglion.entrypoints.grpc_api.request_head import RequestHead
from ganglion.entrypoints.grpc_api.statuses import ANSWER_FIELDS, OK_FIELDS, CallRefused, status_fields, status_of

log = structlog.get_logger()


class ServerCall:
    """See the module docstring; to the methods it is `calls.Call`."""

    __slots__ = (
        "_acts",
        "_has_answered",
        "_head",
        "_held",
        "_is_ended",
        "_is_gone",
        "_link",
        "_method",
        "_reader",
        "_received_bytes",
        "_request",
        "_room",
        "_stream",
        "_timer",
        "_unread_bytes",
        "_unread_since_s",
        "began_s",
        "deadline_s",
        "is_complete",
        "is_over",
        "stream_id",
        "trailers",
        "unsent",
        "unsent_bytes",
        "window",
    )

    def __init__(self, link: Link, stream_id: int, head: RequestHead, method: UnaryMethod | StreamMethod) -> None:
        self._link, self._head, self._method = link, head, method
        self.stream_id = stream_id
        self._reader = MessageReader(link.budget, link.limits.message_bytes_max, is_gzip=head.is_gzip)
        self._request: bytes | None = None
        self._stream: Stream | None = None
        self._room = link.limits.window_bytes
        """What the client may send before it is told to go on."""
        self._received_bytes = 0
        self._held: bytes | None = None
        self._has_answered = self._is_ended = self._is_gone = False
        self._acts: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.window = link.out.window_initial
        self.unsent: deque[bytes | memoryview] | None = None
        self.unsent_bytes = 0
        self._unread_bytes, self._unread_since_s = 0, 0.0
        self.trailers: bytes | None = None
        self.is_over = False
        self.is_complete = False
        """The client has sent everything."""
        self.began_s = now_s = link.loop.time()
        """When the client began with the message that is not complete."""
        self.deadline_s = math.inf if head.timeout_s is None else now_s + head.timeout_s

    # --- what the service sees ------------------------------------------------------------------------

    @property
    def metadata(self) -> Mapping[str, str]:
        """Header fields of the client, lower-case names."""
        return self._head.metadata

    @property
    def is_local(self) -> bool:
        """The client is on this machine, and trusted as such."""
        return self._link.is_local

    @property
    def certificate(self) -> str:
        """SHA-256 of the certificate that the client has proved to own; empty: none."""
        return self._link.certificate

    def on_end(self, act: Callable[[], None]) -> None:
        """Call `act` if the call ends before `finish`; at once if it has."""
        if self._is_ended:
            act()
        elif not self.is_over:
            self._acts.append(act)

    def send(self, message: bytes) -> None:
        """Send one message. The first of a unary call waits until the end of this turn for the status."""
        if self.is_over:
            return
        if self._stream is None and not self._has_answered and self._held is None:
            self._held = message
            self._link.out.hold(self)
            return
        self.release()
        self._send(message)

    def finish(self, status: Status = Status.OK, text: str = "") -> None:
        """End the call."""
        if self.is_over:
            return
        self._settle()
        out, held = self._link.out, self._held
        if held is not None and status is Status.OK and out.is_plain:
            size = len(held) + PREFIX_BYTES
            if size <= out.window and size <= self.window and size <= out.frame_bytes_max:
                out.window -= size
                self._held = None
                out.put_answer(self.stream_id, held)
                self.close()
                return
        self.release()
        if self._is_gone:
            return
        trailers = OK_FIELDS if status is Status.OK and not text else status_fields(status, text)
        if self._has_answered:
            self.trailers = trailers
            out.send(self)
        else:
            out.put_fields(self.stream_id, ANSWER_FIELDS + trailers, is_end=True)
            self.close()

    # --- what the connection tells --------------------------------------------------------------------

    def begin(self) -> None:
        """Watch the deadline, and open the stream of a method that takes many messages."""
        if self.deadline_s <= self.began_s:
            self._time_out()
        elif isinstance(self._method, StreamMethod):
            try:
                self._stream = self._method.open(self)
            except Exception as error:  # noqa: BLE001 - it is logged, and ends this call only
                self._fail(error)
        self.watch()

    def watch(self) -> None:
        """Set the clock for the deadline, unless the call is over already."""
        if self._timer is None and not self.is_over and self.deadline_s < math.inf:
            self._timer = self._link.loop.call_at(self.deadline_s, self._time_out)

    def take(self, data: bytes, start: int, end: int, *, is_end: bool) -> None:
        """Take what `data` holds of the client's messages. Raises: StreamFault."""
        self._received_bytes += end - start
        self.is_complete = is_end
        if is_end and self._head.length not in (None, self._received_bytes):
            raise StreamFault(self.stream_id, ErrorCode.PROTOCOL_ERROR, "content-length is another one")
        if self.is_over:
            return
        try:
            message = self._reader.whole(data, start, end)
            if message is not None:
                self._receive(message)
            else:
                if self._reader.is_between_messages:
                    self.began_s = self._link.loop.time()
                for part in self._reader.feed(data[start:end]):
                    self._receive(part)
            if is_end:
                self._end()
        except Exception as error:  # noqa: BLE001 - it is logged, and ends this call only
            self._fail(error)

    def make_room(self, size_bytes: int) -> None:
        """Count what has come, and let the client go on when half of its room is used. Raises: StreamFault."""
        self._room -= size_bytes
        if self._room < 0:
            raise StreamFault(self.stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more than the window allows")
        room_max = self._link.limits.window_bytes
        # Who leaves answers unread cannot ask for more of them.
        if self._room < room_max // 2 and not self.unsent and not self.is_over:
            self._link.out.put(frames.window_update(self.stream_id, room_max - self._room))
            self._room = room_max

    def end(self, status: Status | None = None, text: str = "") -> None:
        """End the call against the service's will; with a status if the client still listens."""
        self._is_ended = not self.is_over
        acts = self._acts
        if status is not None:
            self._held = None
            self.finish(status, text)
        if not self.is_over:
            self._settle()
        if self._is_ended:
            for act in acts:
                _call_safely(act)
        if status is None:
            self._is_gone, self.unsent, self._held = True, None, None

    def release(self) -> None:
        """Send what was held back to be sent together with the status."""
        held, self._held = self._held, None
        if held is not None:
            self._send(held)

    def drained(self) -> None:
        """Hear that nothing is unsent: the client may ask for more."""
        if not self.is_complete:
            self.make_room(0)

    def close(self) -> None:
        """Hear that everything was sent."""
        self._link.forget(self)

    def is_stalled(self, now_s: float) -> bool:
        """Say whether the client has left a message unfinished for too long."""
        is_awaited = self._stream is None or not self._reader.is_between_messages
        is_late = now_s - self.began_s > self._link.limits.request_s
        return is_late and is_awaited and not self.is_complete and not self.is_over

    def is_unread(self, now_s: float) -> bool:
        """Say whether the client has made no room for too long. It is asked about once a second."""
        if not self.unsent_bytes or self.unsent_bytes != self._unread_bytes:
            self._unread_bytes, self._unread_since_s = self.unsent_bytes, now_s
        return now_s - self._unread_since_s > self._link.limits.write_s

    # --------------------------------------------------------------------------------------------------

    def _receive(self, message: bytes) -> None:
        if self.is_over:
            return
        if self._stream is not None:
            self._reader.give_back(len(message))
            self._stream.receive(message)
        elif self._request is None:
            self._request = message
        else:
            raise CallRefused(Status.INVALID_ARGUMENT, "the method takes one message, and more came")

    def _end(self) -> None:
        if self.is_over:
            return
        if not self._reader.is_between_messages:
            raise CallRefused(Status.INVALID_ARGUMENT, "the last message is not complete")
        if self._stream is not None:
            self._stream.end()
            return
        message, self._request = self._request, None
        if message is None:
            raise CallRefused(Status.INVALID_ARGUMENT, "the method takes one message, and none came")
        assert isinstance(self._method, UnaryMethod), "the stream of a method for many messages is open"
        self._method.answer(message, self)

    def _send(self, message: bytes) -> None:
        out = self._link.out
        if not self._has_answered:
            self._has_answered = True
            out.put_fields(self.stream_id, ANSWER_FIELDS, is_end=False)
        if self.unsent is None:
            self.unsent = deque()
        self.unsent.append(PREFIX.pack(0, len(message)) + message)
        self.unsent_bytes += PREFIX_BYTES + len(message)
        out.send(self)
        if self.unsent_bytes > self._link.limits.unsent_bytes_max:
            self._link.reset(self.stream_id, ErrorCode.ENHANCE_YOUR_CALM)

    def _fail(self, error: Exception) -> None:
        """End the call for a reason that arose while a message was taken."""
        if isinstance(error, CallRefused):
            self.end(error.status, error.text)
        elif isinstance(error, GanglionError):
            self.end(status_of(error), error.message)
        else:
            log.error("call.failed", path=self._head.path, exc_info=error)
            self.end(Status.INTERNAL, f"the server failed: {type(error).__name__}")

    def _time_out(self) -> None:
        self.end(Status.DEADLINE_EXCEEDED, "the time that the client gave is over")

    def _settle(self) -> None:
        """Let go of what the call holds while it is not over."""
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._reader.discard()
        # Services know their call, and the two would keep each other alive.
        self._request = self._stream = None
        self._acts = []


def _call_safely(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:
        log.exception("call.end_failed")
