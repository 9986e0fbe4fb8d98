"""The rules of HTTP/2 that a client may break, each with the code that it hears, in the order of RFC 9113."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from unit.entrypoints.grpc_api.connection_world import (
    ACK,
    END_HEADERS,
    END_STREAM,
    SMALL,
    ConnectionWorld,
    message,
)

SETTINGS = frames.settings([])


def long(number: int) -> bytes:
    return struct.pack(">L", number)


# --- 3.4: the beginning -------------------------------------------------------------------------------


def test_the_server_says_its_limits_first() -> None:
    world = ConnectionWorld(has_begun=False)

    first, second = world.frames()

    assert dict(frames.settings_of(first.payload)) == {
        frames.MAX_CONCURRENT_STREAMS: SMALL.calls_max,
        frames.INITIAL_WINDOW_SIZE: SMALL.window_bytes,
        frames.MAX_HEADER_LIST_SIZE: SMALL.head_bytes_max,
    }
    assert (second.kind, second.stream_id) == (frames.WINDOW_UPDATE, 0)
    assert second.number == SMALL.connection_window_bytes - 65_535


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\0", b"PRI * HTTP/2.0\r\n\r\nXX", b"\x16\x03\x01"])
def test_what_is_no_http2_ends_the_connection(said: bytes) -> None:
    world = ConnectionWorld(has_begun=False)

    world.say(said)

    assert world.goaway() == (ErrorCode.PROTOCOL_ERROR, 0)


@pytest.mark.parametrize("first", [frames.frame(frames.PING, 0, 0, bytes(8)), frames.SETTINGS_ACK])
def test_the_first_frame_is_settings(first: bytes) -> None:
    world = ConnectionWorld(has_begun=False)

    world.say(frames.PREFACE, first)

    assert world.goaway()[0] is ErrorCode.PROTOCOL_ERROR


def test_settings_are_acknowledged() -> None:
    world = ConnectionWorld(has_begun=False)
    world.frames()

    world.say(frames.PREFACE, frames.settings([(frames.MAX_CONCURRENT_STREAMS, 0), (0xFFFF, 1)]))

    assert [(frame.kind, frame.flags) for frame in world.frames()] == [(frames.SETTINGS, ACK)]


# --- 4: frames ----------------------------------------------------------------------------------------


def test_unknown_frames_and_flags_are_passed_over() -> None:
    world = ConnectionWorld()

    world.say(frames.frame(0xEE, 0xFF, 0, b"whatever"), frames.frame(0xEE, 0xFF, 77, b"whatever"))
    world.say(frames.frame(frames.PING, 0xFE, 0, bytes(8)))

    assert world.is_well()


def test_the_reserved_bit_of_a_stream_is_passed_over() -> None:
    world = ConnectionWorld()
    head = bytearray(world.headers(flags=0))
    head[5] |= 0x80

    world.say(bytes(head), world.data(message(b"a")))

    assert world.status()[0] is Status.OK


@pytest.mark.parametrize(
    ("kind", "stream_id", "payload", "code"),
    [
        # Of a length that cannot be: section 4.2.
        (frames.DATA, 1, bytes(16_385), ErrorCode.FRAME_SIZE_ERROR),
        (frames.HEADERS, 1, bytes(16_385), ErrorCode.FRAME_SIZE_ERROR),
        (0xEE, 0, bytes(16_385), ErrorCode.FRAME_SIZE_ERROR),
        (frames.PRIORITY, 1, bytes(4), ErrorCode.FRAME_SIZE_ERROR),
        (frames.RST_STREAM, 1, bytes(3), ErrorCode.FRAME_SIZE_ERROR),
        (frames.SETTINGS, 0, bytes(5), ErrorCode.FRAME_SIZE_ERROR),
        (frames.PING, 0, bytes(6), ErrorCode.FRAME_SIZE_ERROR),
        (frames.GOAWAY, 0, bytes(7), ErrorCode.FRAME_SIZE_ERROR),
        (frames.WINDOW_UPDATE, 0, bytes(3), ErrorCode.FRAME_SIZE_ERROR),
        # Streams that are none (5.1, 6)
        (frames.DATA, 0, b"a", ErrorCode.PROTOCOL_ERROR),
        (frames.HEADERS, 0, b"\x82", ErrorCode.PROTOCOL_ERROR),
        (frames.PRIORITY, 0, bytes(5), ErrorCode.PROTOCOL_ERROR),
        (frames.RST_STREAM, 0, long(8), ErrorCode.PROTOCOL_ERROR),
        (frames.SETTINGS, 1, b"", ErrorCode.PROTOCOL_ERROR),
        (frames.PING, 1, bytes(8), ErrorCode.PROTOCOL_ERROR),
        (frames.GOAWAY, 1, bytes(8), ErrorCode.PROTOCOL_ERROR),
        (frames.CONTINUATION, 0, b"\x82", ErrorCode.PROTOCOL_ERROR),
        (frames.CONTINUATION, 1, b"\x82", ErrorCode.PROTOCOL_ERROR),
        (frames.HEADERS, 2, b"\x82", ErrorCode.PROTOCOL_ERROR),
        # Streams that were never opened (5.1)
        (frames.DATA, 1, b"a", ErrorCode.PROTOCOL_ERROR),
        (frames.RST_STREAM, 1, long(8), ErrorCode.PROTOCOL_ERROR),
        (frames.WINDOW_UPDATE, 1, long(8), ErrorCode.PROTOCOL_ERROR),
        (frames.DATA, 2, b"a", ErrorCode.PROTOCOL_ERROR),
        # What clients never say
        (frames.PUSH_PROMISE, 1, long(2), ErrorCode.PROTOCOL_ERROR),
        (frames.WINDOW_UPDATE, 0, long(0), ErrorCode.PROTOCOL_ERROR),
        (frames.WINDOW_UPDATE, 0, long(2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        # Not to be decompressed: section 4.3.
        (frames.HEADERS, 1, b"\xff\xff\xff\xff\xff\xff", ErrorCode.COMPRESSION_ERROR),
    ],
)
def test_a_frame_that_no_client_may_send_ends_the_connection(
    kind: int, stream_id: int, payload: bytes, code: ErrorCode
) -> None:
    world = ConnectionWorld()

    world.say(
        frames.frame(kind, END_HEADERS if kind in {frames.HEADERS, frames.CONTINUATION} else 0, stream_id, payload)
    )

    assert world.goaway()[0] is code
    written = len(world.wire.written)
    world.say(world.call())
    assert len(world.wire.written) == written


def test_an_acknowledgement_with_content_ends_the_connection() -> None:
    world = ConnectionWorld()

    world.say(frames.frame(frames.SETTINGS, ACK, 0, bytes(6)))

    assert world.goaway()[0] is ErrorCode.FRAME_SIZE_ERROR


@pytest.mark.parametrize(
    "between",
    [
        SETTINGS,
        frames.frame(frames.DATA, 0, 1, b""),
        frames.frame(0xEE, 0, 1, b""),
        frames.frame(frames.CONTINUATION, 0, 3, b""),
        frames.frame(frames.HEADERS, END_HEADERS, 1, b"\x82"),
    ],
)
def test_nothing_comes_between_the_parts_of_a_header_block(between: bytes) -> None:
    world = ConnectionWorld()

    world.say(frames.frame(frames.HEADERS, 0, 1, b"\x82"), between)

    assert world.goaway()[0] is ErrorCode.PROTOCOL_ERROR


@given(st.lists(st.integers(0, 200), max_size=5))
def test_a_header_block_may_come_in_any_parts(cuts: list[int]) -> None:
    world = ConnectionWorld()
    block = world.headers()[9:]
    edges = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    parts = [block[start:end] for start, end in pairwise(edges)]

    for number, part in enumerate(parts):
        kind = frames.CONTINUATION if number else frames.HEADERS
        world.say(frames.frame(kind, END_HEADERS if number == len(parts) - 1 else 0, 1, part))
    world.say(world.data(message(b"a")))

    assert world.status()[0] is Status.OK


def test_padding_and_priority_are_passed_over() -> None:
    world = ConnectionWorld()
    head, content = world.headers()[9:], message(b"a")
    flags = END_HEADERS | frames.PADDED | frames.WITH_PRIORITY

    world.say(frames.frame(frames.HEADERS, flags, 1, b"\3" + bytes(5) + head + bytes(3)))
    world.say(frames.frame(frames.PRIORITY, 0, 1, bytes(5)), frames.frame(frames.PRIORITY, 0, 99, bytes(5)))
    world.say(frames.frame(frames.DATA, frames.PADDED | END_STREAM, 1, b"\7" + content + bytes(7)))

    assert [frame.payload for frame in world.frames() if frame.kind == frames.DATA] == [content]


@pytest.mark.parametrize("kind", [frames.DATA, frames.HEADERS])
def test_more_padding_than_frame_ends_the_connection(kind: int) -> None:
    world = ConnectionWorld()
    world.say(world.headers())

    world.say(frames.frame(kind, frames.PADDED | END_HEADERS, 1, b"\4abc"))

    assert world.goaway()[0] is ErrorCode.PROTOCOL_ERROR


# --- 5.1: the life of a stream ------------------------------------------------------------------------


def test_data_after_the_end_of_a_stream_resets_it() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    world.say(world.data(b"more"))

    assert world.reset() is ErrorCode.STREAM_CLOSED
    assert world.echo.ended == world.echo.calls


def test_data_after_a_reset_is_answered_with_a_reset() -> None:
    world = ConnectionWorld()
    world.say(world.headers(), frames.rst_stream(1, ErrorCode.CANCEL))
    world.frames()

    world.say(world.data(b"more"))

    assert world.reset() is ErrorCode.STREAM_CLOSED


def test_headers_on_a_closed_stream_end_the_connection() -> None:
    world = ConnectionWorld()
    world.say(world.call())
    world.frames()

    world.say(world.headers(flags=END_STREAM))

    assert world.goaway() == (ErrorCode.STREAM_CLOSED, 1)


def test_a_stream_below_the_last_one_was_closed_by_it() -> None:
    world = ConnectionWorld()
    world.say(world.call(stream_id=5))
    world.frames()

    world.say(world.headers(stream_id=3))

    assert world.goaway() == (ErrorCode.STREAM_CLOSED, 5)


def test_what_a_client_still_sends_on_a_stream_that_the_server_ended_is_passed_over() -> None:
    world = ConnectionWorld()
    world.say(world.headers({":path": "/no/Such"}))
    ends = world.frames()

    world.say(
        world.data(b"ab", flags=0), world.headers({":path": None, ":method": None, ":scheme": None}, flags=END_STREAM)
    )
    world.say(frames.rst_stream(1, ErrorCode.CANCEL), frames.window_update(1, 5))

    assert [frame.kind for frame in ends] == [frames.HEADERS, frames.RST_STREAM]
    assert ends[-1].number == ErrorCode.NO_ERROR
    assert world.is_well()


def test_calls_beyond_the_limit_are_refused_so_that_clients_repeat_them() -> None:
    world = ConnectionWorld(answers_at_once=False)
    for stream_id in range(1, 2 * SMALL.calls_max, 2):
        world.say(world.call(stream_id=stream_id))

    world.say(world.call(stream_id=99))

    assert world.reset() is ErrorCode.REFUSED_STREAM
    world.echo.calls[0].finish()
    world.echo.answers_at_once = True
    assert world.is_well()


# --- 6.7, 6.8 -----------------------------------------------------------------------------------------


def test_a_ping_is_answered() -> None:
    world = ConnectionWorld()

    world.say(frames.frame(frames.PING, 0, 0, b"12345678"), frames.frame(frames.PING, ACK, 0, b"abcdefgh"))

    (pong,) = world.frames()
    assert (pong.kind, pong.flags, pong.payload) == (frames.PING, ACK, b"12345678")


def test_the_farewell_of_a_client_ends_nothing_that_is_under_way() -> None:
    world = ConnectionWorld()

    world.say(world.headers(), frames.goaway(0, ErrorCode.NO_ERROR), world.data(message(b"a")))

    assert world.status()[0] is Status.OK
