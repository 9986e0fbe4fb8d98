"""Calls that attack: messages with wrong things in them, header fields of no meaning, and frames against the rules."""

import struct
from collections.abc import Callable
from random import Random

from fuzz.grpc_client import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    call,
    frame,
    head,
    infer,
    nested,
    number,
    tensor,
    varint,
)
from fuzz.mutations import damaged, spliced

_METHODS = (
    "ModelInfer", "ModelInfer", "ModelInfer", "ModelStreamInfer", "ServerLive", "ServerReady", "ModelReady",
    "ServerMetadata", "ModelMetadata", "ModelConfig", "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad",
    "RepositoryModelUnload", "SystemSharedMemoryStatus", "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister", "None", "/", "", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
)  # fmt: skip


def broken_stream(random: Random) -> bytes:
    """Return bytes that are nearly HTTP/2."""
    return random.choice(_STREAMS)(random)


def _message(random: Random) -> bytes:
    """Return a request for inference with something wrong in it, or nothing."""
    count = random.choice((2, 2, 2, 1, 3, 0))
    raw = [random.randbytes(4 * count)] if random.randrange(3) else []
    contents = (
        b""
        if raw and random.randrange(6)
        else nested(random.randint(1, 8), random.randbytes(random.choice((8, 8, 1, 0, 13))))
    )
    shape = random.choice(
        ((1, 2), (1, 2), (1, 2), (2, 1), (-1, 2), (0, 2), (2**62, 4), (2**32, 2**32), (), (1,) * 40, (2**63 - 1,))
    )
    datatype = random.choice(("FP32", "FP32", "BYTES", "BF16", "FP16", "INT64", "", "fp32", "x" * 300))
    item = tensor(random.choice(("x", "x", "x", "a", "", "é")), datatype, shape, contents)
    wish = nested(6, nested(1, random.choice((b"probabilities", b"y", b"", b"\xff"))) + _parameters(random))
    more = random.choice(
        (b"", b"", wish, wish * 2, nested(4, _entry(random)), nested(99, b"later"), number(2, 5), b"\xff\xff")
    )
    model = random.choice(("steer", "slow", "words", "bf16", "none", "", "x" * 400))
    message = infer(
        model,
        random.choice(("", "r", "r" * 300)),
        [item] * random.choice((1, 1, 1, 0, 2, 70)),
        raw * random.choice((1, 1, 1, 2)),
        more=more,
    )
    return damaged(message, random) if random.randrange(3) == 0 else message


def _parameters(random: Random) -> bytes:
    return nested(2, _entry(random)) if random.randrange(2) else b""


def _entry(random: Random) -> bytes:
    """Return one parameter: a name, and a value of any kind."""
    names = (
        b"classification",
        b"shared_memory_region",
        b"shared_memory_offset",
        b"shared_memory_byte_size",
        b"timeout",
        b"sequence_id",
        b"x",
    )
    value = random.choice(
        (
            number(1, 1),
            number(2, -1),
            number(2, 2**62),
            nested(3, b"region"),
            nested(3, b"\xff"),
            number(6, 2**64 - 1),
            b"",
        )
    )
    return nested(1, random.choice(names)) + nested(2, value)


def hostile_call(random: Random) -> bytes:
    """Return a whole call on stream 3 in correct HTTP/2."""
    method = random.choice(_METHODS)
    message = _message(random) if "Infer" in method else damaged(nested(1, b"steer") + varint(16) + varint(1), random)
    fields = random.choice(_FIELDS)
    if random.randrange(8) == 0:
        prefixed = damaged(b"\0" + struct.pack(">I", len(message)) + message, random)
        return frame(HEADERS, END_HEADERS, 3, head(method, **fields)) + frame(DATA, END_STREAM, 3, prefixed[:16_384])
    return call(3, method, message, **fields)


_FIELDS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"grpc_timeout": "1n"}, {"grpc_timeout": "99999999H"}, {"grpc_timeout": "x"},
    {"grpc_timeout": "-1S"}, {"grpc_encoding": "gzip"}, {"grpc_encoding": "snappy"}, {"content_type": "text/plain"},
    {"content_type": "application/grpc+json"}, {":method": "GET"}, {"x_bin": "!!"}, {"x": "y" * 3000},
    {"te": "gzip"}, {"connection": "close"}, {":path": "*"}, {"": "x"},
)  # fmt: skip


def _damaged_calls(random: Random) -> bytes:
    return damaged(b"".join(hostile_call(random) for _ in range(random.choice((1, 2)))), random)


def _any_frames(random: Random) -> bytes:
    frames = []
    for _ in range(random.choice((1, 2, 3, 8))):
        payload = random.choice(
            (
                b"",
                random.randbytes(4),
                random.randbytes(8),
                random.randbytes(40),
                struct.pack(">HI", 4, 2**31),
                bytes(6),
            )
        )
        frames.append(
            frame(
                random.randrange(12),
                random.randrange(256),
                random.choice((0, 0, 1, 2, 3, 3, 5, 2**31 - 1, 2**31)),
                payload,
            )
        )
    return b"".join(frames)


def _floods(random: Random) -> bytes:
    block = head("ModelInfer")
    return random.choice(
        (
            frame(6, 0, 0, bytes(8)) * 300,
            frame(4, 0, 0) * 300,
            frame(HEADERS, 0, 3, block) + frame(CONTINUATION, 0, 3) * 300,
            frame(HEADERS, 0, 3, block) + frame(CONTINUATION, 0, 3, block) * 100,
            b"".join(
                frame(HEADERS, END_HEADERS, 2 * at + 3, block) + frame(3, 0, 2 * at + 3, bytes(4)) for at in range(200)
            ),
            b"".join(frame(HEADERS, END_HEADERS, 2 * at + 3, block) for at in range(40)),
            frame(HEADERS, END_HEADERS, 3, block) + frame(DATA, 0, 3) * 300,
            frame(8, 0, 0, struct.pack(">I", 2**31 - 1)) * 3,
            frame(8, 0, 3, bytes(4)),
            frame(HEADERS, END_HEADERS, 3, bytes((0x82,)) * 5000),
            frame(HEADERS, END_HEADERS, 3, b"\x40\x01x" + b"\x7f\x80\x1f" + bytes(4000) + b"\xbe" * 4000),
            frame(HEADERS, END_HEADERS | 8, 3, b"\xff" + block),
            (b"\xff\xff\xff" + bytes((DATA, 0)) + struct.pack(">I", 3)) + bytes(20_000),
        )
    )


def _spliced_calls(random: Random) -> bytes:
    return spliced(hostile_call(random), _any_frames(random), random)


def _noise(random: Random) -> bytes:
    return random.randbytes(random.choice((1, 9, 60, 4000)))


_STREAMS: tuple[Callable[[Random], bytes], ...] = (
    _damaged_calls,
    _damaged_calls,
    _any_frames,
    _floods,
    _spliced_calls,
    _noise,
)
