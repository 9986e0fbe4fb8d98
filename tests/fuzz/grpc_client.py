"""The client's side of gRPC, as little as attacks need: calls as bytes, and what comes back as values."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
DATA, HEADERS, RST_STREAM, GOAWAY, CONTINUATION = 0, 1, 3, 7, 9
END_STREAM, END_HEADERS = 1, 4
_SERVICE = "/inference.GRPCInferenceService/"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def head(method: str, **fields: str) -> bytes:
    """Return the header block of a call. Nothing in it depends on earlier blocks."""
    path = method if method.startswith("/") else _SERVICE + method
    named = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
    told = (
        named | {"content-type": "application/grpc"} | {name.replace("_", "-"): value for name, value in fields.items()}
    )
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(list(told.items()), huffman=False)


def call(stream: int, method: str, message: bytes, **fields: str) -> bytes:
    """Return a whole unary call."""
    prefixed = b"\0" + struct.pack(">I", len(message)) + message
    frames = [frame(HEADERS, END_HEADERS, stream, head(method, **fields))]
    parts = [prefixed[at : at + 16_384] for at in range(0, len(prefixed), 16_384)]
    frames += [frame(DATA, 0, stream, part) for part in parts]
    return b"".join(frames) + frame(DATA, END_STREAM, stream)


@dataclass(slots=True)
class Heard:
    """What a client knows of one call."""

    messages: bytearray = field(default_factory=bytearray)
    status: str = ""
    reason: str = ""
    is_over: bool = False


@dataclass(slots=True)
class Listener:
    """Reads what a server says on one connection."""

    calls: dict[int, Heard] = field(default_factory=dict)
    goaway: int | None = None
    resets: dict[int, int] = field(default_factory=dict)
    _rest: bytes = b""
    _decoder: Decoder = field(default_factory=Decoder)

    def hear(self, data: bytes) -> int:
        """Take what was written; return how many bytes of it count against the window."""
        counted = 0
        for kind, flags, stream, payload in self._frames(data):
            heard = self.calls.setdefault(stream, Heard())
            if kind == DATA:
                heard.messages += payload
                counted += len(payload)
            elif kind == HEADERS:
                fields = {str(name): str(value) for name, value in self._decoder.decode(payload)}
                heard.status = fields.get("grpc-status", heard.status)
                heard.reason = fields.get("grpc-message", heard.reason)
            elif kind == RST_STREAM:
                (self.resets[stream],) = struct.unpack(">I", payload)
            elif kind == GOAWAY:
                (self.goaway,) = struct.unpack(">I", payload[4:8])
            heard.is_over = heard.is_over or kind == RST_STREAM or (kind <= HEADERS and bool(flags & END_STREAM))
        return counted

    def _frames(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        self._rest += data
        while len(self._rest) >= 9:
            length = int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < 9 + length:
                return
            (stream,) = struct.unpack(">I", self._rest[5:9])
            yield self._rest[3], self._rest[4], stream, self._rest[9 : 9 + length]
            self._rest = self._rest[9 + length :]


# --- protobuf -----------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it; a negative one as ten bytes."""
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def number(tag: int, value: int) -> bytes:
    """Return a field that holds a whole number."""
    return varint(tag << 3) + varint(value)


def nested(tag: int, content: bytes) -> bytes:
    """Return a field that holds bytes, text, or a message."""
    return varint(tag << 3 | 2) + varint(len(content)) + content


def tensor(name: str, datatype: str, shape: tuple[int, ...], contents: bytes = b"") -> bytes:
    """Return an input of a request."""
    sizes = nested(3, b"".join(map(varint, shape)))
    return nested(1, name.encode()) + nested(2, datatype.encode()) + sizes + (nested(5, contents) if contents else b"")


def infer(model: str, request_id: str, inputs: list[bytes], raw: list[bytes], *, more: bytes = b"") -> bytes:
    """Return a request for inference."""
    said = nested(1, model.encode()) + nested(3, request_id.encode()) + more
    return said + b"".join(nested(5, item) for item in inputs) + b"".join(nested(7, item) for item in raw)
