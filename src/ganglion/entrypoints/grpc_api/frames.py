"""The frames of HTTP/2 as bytes: their numbers, how each is built, and what its fields must keep to.

Source: RFC 9113, sections 4, 6 and 7.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first."""

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x01
END_STREAM: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
WITH_PRIORITY: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

HEAD: Final = struct.Struct(">HBBBL")
"""Length in two parts, kind, flags, stream."""
HEAD_BYTES: Final = 9
FRAME_BYTES: Final = 16_384
"""The longest payload that this server takes; also the least that every peer takes."""
WINDOW: Final = 65_535
"""The size of every window before anybody says otherwise."""
NUMBER_MAX: Final = 2**31 - 1
"""The largest window and the largest stream; the bit above is reserved."""
_FRAME_BYTES_END: Final = 2**24
_PRIORITY_BYTES: Final = 5
_SETTING: Final = struct.Struct(">HL")
_LONG: Final = struct.Struct(">L")
_TWO_LONGS: Final = struct.Struct(">LL")


class ErrorCode(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """The peer broke a rule after which nothing more on the connection can be believed: GOAWAY."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class StreamFault(Exception):
    """The peer broke a rule of one stream: RST_STREAM."""

    def __init__(self, stream_id: int, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.stream_id, self.code = stream_id, code


# --- what this server says ----------------------------------------------------------------------------


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    size = len(payload)
    assert size < _FRAME_BYTES_END
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0)


def settings(pairs: Iterable[tuple[int, int]]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join([_SETTING.pack(*pair) for pair in pairs]))


def window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, _LONG.pack(increment))


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    """Return an RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, _LONG.pack(code))


def goaway(last_stream_id: int, code: ErrorCode, reason: str = "") -> bytes:
    """Return a GOAWAY; `reason` is for people, and for clients that ask why they were told to calm down."""
    return frame(GOAWAY, 0, 0, _TWO_LONGS.pack(last_stream_id, code) + reason.encode())


# --- what a client says -------------------------------------------------------------------------------


def without_padding(payload: bytes, flags: int) -> bytes:
    """Return the payload of DATA or HEADERS without its padding. Raises: ConnectionFault: more padding than payload."""
    if not flags & PADDED:
        return payload
    if not payload:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a padded frame has no length of its padding")
    end = len(payload) - payload[0]
    if end < 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding is longer than the frame")
    return payload[1:end]


def header_fragment(payload: bytes, flags: int) -> bytes:
    """Return the part of a header block in a HEADERS frame; its priority is obsolete. Raises: ConnectionFault."""
    payload = without_padding(payload, flags)
    if not flags & WITH_PRIORITY:
        return payload
    if len(payload) < _PRIORITY_BYTES:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS ends inside its priority")
    return payload[_PRIORITY_BYTES:]


def number_of(payload: bytes) -> int:
    """Return the 32 bits of RST_STREAM or WINDOW_UPDATE. Raises: ConnectionFault: it has another length."""
    if len(payload) != _LONG.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"the frame has {len(payload)} bytes instead of 4")
    number: int = _LONG.unpack(payload)[0]
    return number


def settings_of(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield the settings of a client, each in its range; unknown ones too. Raises: ConnectionFault."""
    if len(payload) % _SETTING.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS ends inside a setting")
    for name, value in _SETTING.iter_unpack(payload):
        if name == ENABLE_PUSH and value > 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
        if name == INITIAL_WINDOW_SIZE and value > NUMBER_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is above 2^31-1")
        if name == MAX_FRAME_SIZE and not FRAME_BYTES <= value < _FRAME_BYTES_END:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is outside 2^14 to 2^24-1")
        yield name, value
