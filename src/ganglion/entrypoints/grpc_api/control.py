"""Frames that are about the connection as a whole, or about nothing; and how many of those a client may send.

Source: RFC 9113; the sections stand beside the rules.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode
from ganglion.entrypoints.grpc_api.outgoing import Outgoing, Sender

LAST_CALLS: Final = b"leaving\0"
"""What a ping says after which no call is under way that has not come here."""
_PING_BYTES: Final = 8
_PRIORITY_BYTES: Final = 5
_GOAWAY_BYTES: Final = 8


class ControlFrames:
    """See the module docstring. `on_last_calls` hears that the ping `LAST_CALLS` was answered."""

    def __init__(
        self, out: Outgoing, calls: Mapping[int, Sender], nuisances_max: int, on_last_calls: Callable[[], None]
    ) -> None:
        self._out, self._calls = out, calls
        self._nuisances_max, self._on_last_calls = nuisances_max, on_last_calls
        self.nuisances = 0
        """Frames that asked for nothing, since somebody set this to 0."""
        self.has_settings = False
        """The client has introduced itself."""

    def take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a frame. Raises: ConnectionFault."""
        if kind == frames.SETTINGS:
            self._on_settings(flags, stream_id, payload)
        elif kind == frames.PING:
            self._on_ping(flags, stream_id, payload)
        elif kind == frames.GOAWAY:
            self._on_goaway(stream_id, payload)
        elif kind == frames.PRIORITY:
            self._on_priority(stream_id, payload)
        elif kind == frames.PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "clients push nothing")  # 8.4
        else:
            self.count_nuisance("too many unknown frames")  # 5.5: passed over

    def count_nuisance(self, reason: str) -> None:
        """Count a frame that asks for nothing. Raises: ConnectionFault: there were too many."""
        self.nuisances += 1
        if self.nuisances > self._nuisances_max:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason)

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self.count_nuisance("too many settings")
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS of a stream")  # 6.5
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement has content")
            return
        self.has_settings = True
        for name, value in frames.settings_of(payload):
            if name == frames.HEADER_TABLE_SIZE:
                self._out.limit_table(value)
            elif name == frames.MAX_FRAME_SIZE:
                self._out.frame_bytes_max = value
            elif name == frames.INITIAL_WINDOW_SIZE:
                self._out.resize_streams(value, self._calls.values())
        self._out.put(frames.SETTINGS_ACK)

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self.count_nuisance("too_many_pings")  # In these words: clients of gRPC look for them.
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING of a stream")  # 6.7
        if len(payload) != _PING_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING has not 8 bytes")
        if not flags & frames.ACK:
            self._out.put(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == LAST_CALLS:
            self._on_last_calls()

    def _on_goaway(self, stream_id: int, payload: bytes) -> None:
        self.count_nuisance("too many farewells")
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY of a stream")  # 6.8
        if len(payload) < _GOAWAY_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has less than 8 bytes")

    def _on_priority(self, stream_id: int, payload: bytes) -> None:
        self.count_nuisance("too many priorities")
        if not stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY of the connection")  # 6.3
        if len(payload) != _PRIORITY_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has not 5 bytes")
