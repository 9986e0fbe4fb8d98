"""Windows and settings of HTTP/2: nobody sends more than the other takes, and what waits goes on."""

import struct

import pytest

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from unit.entrypoints.grpc_api.connection_world import END_STREAM, SMALL, ConnectionWorld, message


def long(number: int) -> bytes:
    return struct.pack(">L", number)


def test_an_answer_waits_for_the_window_of_its_stream() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 7)]), world.call(b"0123456789"))
    first = [frame for frame in world.frames() if frame.kind == frames.DATA]

    world.say(frames.window_update(1, 4))
    second = [frame for frame in world.frames() if frame.kind == frames.DATA]
    world.say(frames.window_update(1, 100))
    rest = world.frames()

    assert [len(frame.payload) for frame in first + second] == [7, 4]
    content = b"".join(frame.payload for frame in [*first, *second, *rest] if frame.kind == frames.DATA)
    assert content == message(b"0123456789")
    assert rest[-1].flags & END_STREAM


def test_a_new_initial_window_changes_the_open_streams_below_zero_too() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 10)]), world.call(b"0123456789"))
    world.frames()

    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 3)]))
    world.say(frames.window_update(1, 7))
    assert [frame.kind for frame in world.frames()] == [frames.SETTINGS]

    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 100)]))
    assert world.frames()[0].payload == b"56789"


def test_answers_wait_for_the_window_of_the_connection_and_take_turns() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 200_000)]))
    for stream_id in (1, 3):
        world.say(world.headers(stream_id=stream_id))
        for start in range(0, 60_000, 15_000):
            part = message(bytes(60_000))[start : start + 15_000] if start < 45_000 else message(bytes(60_000))[45_000:]
            world.say(world.data(part, stream_id=stream_id, flags=END_STREAM if start == 45_000 else 0))
    before = [frame for frame in world.frames() if frame.kind == frames.DATA]

    world.say(frames.window_update(0, 200_000))
    after = [frame for frame in world.frames() if frame.kind == frames.DATA]

    assert sum(len(frame.payload) for frame in before) == 65_535
    assert {frame.stream_id for frame in before} == {1, 3}
    assert sum(len(frame.payload) for frame in before + after) == 2 * 60_005


def test_no_frame_is_longer_than_the_client_allows() -> None:
    world = ConnectionWorld()
    parts = [message(bytes(30_000))[start : start + 16_000] for start in (0, 16_000)]
    world.say(world.headers(), world.data(parts[0], flags=0), world.data(parts[1]))
    standard = [len(frame.payload) for frame in world.frames() if frame.kind == frames.DATA]
    world.say(frames.settings([(frames.MAX_FRAME_SIZE, 40_000)]))
    world.say(world.headers(stream_id=3), world.data(parts[0], stream_id=3, flags=0), world.data(parts[1], stream_id=3))

    assert standard == [16_384, 30_005 - 16_384]
    assert [len(frame.payload) for frame in world.frames() if frame.kind == frames.DATA] == [30_005]


@pytest.mark.parametrize(
    "update", [frames.window_update(1, 2**31 - 1), frames.frame(frames.WINDOW_UPDATE, 0, 1, long(0))]
)
def test_a_window_update_that_cannot_be_resets_the_stream(update: bytes) -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    world.say(update)

    expected = ErrorCode.PROTOCOL_ERROR if update.endswith(long(0)) else ErrorCode.FLOW_CONTROL_ERROR
    assert world.reset() is expected


def test_an_initial_window_that_makes_a_stream_overflow_ends_the_connection() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call(), frames.window_update(1, 1_000))

    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 2**31 - 1)]))

    assert world.goaway()[0] is ErrorCode.FLOW_CONTROL_ERROR


def test_clients_are_given_room_again_while_they_send() -> None:
    world = ConnectionWorld()
    content = message(bytes(150_000))
    world.say(world.headers())
    for start in range(0, len(content), 16_000):
        world.say(world.data(content[start : start + 16_000], flags=END_STREAM if start + 16_000 > len(content) else 0))
    came = world.frames()

    stream = sum(frame.number for frame in came if frame.kind == frames.WINDOW_UPDATE and frame.stream_id == 1)
    connection = sum(frame.number for frame in came if frame.kind == frames.WINDOW_UPDATE and frame.stream_id == 0)
    assert stream + SMALL.window_bytes >= len(content)
    assert len(content) - SMALL.connection_window_bytes // 2 <= connection <= len(content)


def test_a_client_that_leaves_answers_unread_gets_no_room_for_more_requests() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]), world.headers({":path": "/test.Echo/Stream"}))
    part = world.data(message(bytes(15_000)), flags=0)

    for _ in range(4):
        world.say(part)
    assert not [frame for frame in world.frames() if (frame.kind, frame.stream_id) == (frames.WINDOW_UPDATE, 1)]
    world.say(part)

    assert world.reset() is ErrorCode.FLOW_CONTROL_ERROR
    assert world.echo.ended == world.echo.calls


def test_a_client_that_reads_again_gets_room_again() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]), world.headers({":path": "/test.Echo/Stream"}))
    for _ in range(3):
        world.say(world.data(message(bytes(15_000)), flags=0))
    world.frames()

    world.say(frames.window_update(1, 60_000))

    rooms = [frame.number for frame in world.frames() if (frame.kind, frame.stream_id) == (frames.WINDOW_UPDATE, 1)]
    assert rooms == [45_015]


def test_a_smaller_header_table_is_acknowledged_once_in_the_next_header_block() -> None:
    world = ConnectionWorld()
    world.decoder.max_allowed_table_size = 0

    world.say(frames.settings([(frames.HEADER_TABLE_SIZE, 0)]), world.call())
    world.say(world.call(stream_id=3))

    blocks = [frame.payload for frame in world.frames() if frame.kind == frames.HEADERS]
    assert [block[:1] == b"\x20" for block in blocks] == [True, False, False, False]
    assert [world.decoder.decode(block) for block in blocks]
