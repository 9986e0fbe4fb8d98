"""One client connection: the socket, its back-pressure and its time limits.

No tasks and no futures: frames, methods and the socket call each other, so that a short call costs one turn
of the loop.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final, cast

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode
from ganglion.entrypoints.grpc_api.outgoing import Outgoing
from ganglion.entrypoints.grpc_api.session import Service, Session
from ganglion.entrypoints.grpc_api.statuses import status_of
from ganglion.entrypoints.inference_api.peer import certificate_of, is_trusted

_WRITE_BUFFER_BYTES: Final = 1_000_000
_PROBE: Final = b"alive?\0\0"


@dataclass(slots=True)
class Shared:
    """What all connections of a server have in common."""

    service: Service
    trusts_loopback: bool = True
    connections: "set[Connection]" = field(default_factory=set)
    is_stopping: bool = False
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last connection of a stopping server has gone."""


class Connection(asyncio.Protocol):
    """See the module docstring. `sweep` is called about once a second."""

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        self._shared, self._loop, self._limits = shared, loop, shared.service.limits
        self._out = Outgoing(loop)
        self._session = Session(shared.service, loop, self._out, self._close)
        self._transport: asyncio.Transport | None = None
        self._is_deaf = self._is_write_blocked = self._is_probed = False
        self._has_heard = True
        self._heard_s = self._free_since_s = self._blocked_since_s = self._began_s = loop.time()
        self._linger_until_s: float | None = None

    # --- called by the loop ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or tell the client that there are too many."""
        # Not asserted: uvloop's transports are no subclasses of asyncio's.
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        self._out.open(stream)
        self._session.is_local = is_trusted(stream, trusts_loopback=self._shared.trusts_loopback)
        self._session.certificate = certificate_of(stream)
        stream.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._session.begin()
        if len(self._shared.connections) < self._limits.connections_max:
            self._shared.connections.add(self)
            return
        self._is_deaf = True
        self._out.put(frames.goaway(0, ErrorCode.NO_ERROR, "too many connections are open"))
        stream.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        """End every call; what waits for a model is taken back."""
        self._shared.connections.discard(self)
        if self._shared.is_stopping and not self._shared.connections:
            self._shared.emptied.set()
        self._transport, self._is_deaf = None, True
        self._out.shut()
        self._session.end_calls()

    def data_received(self, data: bytes) -> None:
        """Read on; a broken rule ends the connection."""
        if self._is_deaf:
            return
        self._has_heard = True
        self._out.cork()
        try:
            self._session.feed(data)
        except ConnectionFault as fault:
            self._fail(fault)
        self._out.uncork()

    def eof_received(self) -> None:
        """Let the loop close: HTTP/2 knows no client that only listens."""

    def pause_writing(self) -> None:
        """Read no more until the client has read its answers."""
        self._is_write_blocked, self._blocked_since_s = True, self._loop.time()
        self._out.block()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_write_blocked = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._out.unblock()

    # --- called by the server -------------------------------------------------------------------------

    def sweep(self, now_s: float) -> None:
        """End what takes too long."""
        self._session.control.nuisances = 0
        if self._has_heard or self._is_write_blocked:
            self._has_heard, self._is_probed, self._heard_s = False, False, now_s
        if self._session.calls:
            self._free_since_s = now_s
        if self._session.is_between_frames:
            self._began_s = now_s
        if self._is_dead(now_s):
            self.abort()
        elif not self._is_deaf and not self._is_write_blocked:
            self._out.cork()
            self._sweep_calls(now_s)
            self._out.uncork()

    def _is_dead(self, now_s: float) -> bool:
        limits = self._limits
        if self._linger_until_s is not None:
            return now_s > self._linger_until_s
        if self._is_write_blocked:
            return now_s - self._blocked_since_s > limits.write_s
        return self._is_probed and now_s - self._heard_s > limits.probe_after_s + limits.probe_s

    def _sweep_calls(self, now_s: float) -> None:
        limits, calls = self._limits, list(self._session.calls.values())
        for call in calls:
            if call.is_stalled(now_s):
                call.end(Status.DEADLINE_EXCEEDED, f"the message was not complete after {limits.request_s:g} s")
            elif call.is_unread(now_s):
                self._session.reset(call.stream_id, ErrorCode.CANCEL)
        if now_s - self._began_s > limits.request_s:
            self._fail(ConnectionFault(ErrorCode.PROTOCOL_ERROR, "what was begun was not completed in time"))
        elif now_s - self._free_since_s > limits.idle_s:
            self._session.leave("the connection was not used")
        elif calls and not self._is_probed and now_s - self._heard_s > limits.probe_after_s:
            self._is_probed = True
            self._out.put(frames.frame(frames.PING, 0, 0, _PROBE))

    def stop(self) -> None:
        """Take no more calls, and close after the last one that is under way."""
        if self._session.control.has_settings and not self._is_deaf:
            self._session.announce_leave()
        else:
            self._close()

    def give_up(self, error: GanglionError) -> None:
        """End every call with `error`."""
        self._out.cork()
        for call in list(self._session.calls.values()):
            call.end(status_of(error), error.message)
        self._out.uncork()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --------------------------------------------------------------------------------------------------

    def _fail(self, fault: ConnectionFault) -> None:
        """Tell the client what it did; whatever it still sends is heard out for a while, into the void."""
        self._is_deaf = True
        self._session.give_up(fault)
        self._out.uncork()
        transport = self._transport
        self._out.shut()
        if transport is None or transport.is_closing():
            return
        self._linger_until_s = self._loop.time() + self._limits.linger_s
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _close(self) -> None:
        """Close when everything said is on its way."""
        self._is_deaf = True
        self._out.uncork()
        self._out.shut()
        if self._transport is not None and self._linger_until_s is None:
            self._transport.close()
