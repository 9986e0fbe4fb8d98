"""Time, memory and floods have limits; and a server that stops loses no call."""

import struct

import msgspec
import pytest

from ganglion.core.errors import Overloaded
from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.connection import Connection
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from unit.entrypoints.grpc_api.connection_world import SMALL, ConnectionWorld, Wire, frames_of, message

STREAM = {":path": "/test.Echo/Stream"}


def farewells(world: ConnectionWorld) -> list[tuple[int, int]]:
    """Return last stream and code of every GOAWAY since the last look."""
    return [struct.unpack(">LL", frame.payload[:8]) for frame in world.frames() if frame.kind == frames.GOAWAY]


# --- floods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "nuisance"),
    [
        ("pings", frames.frame(frames.PING, 0, 0, bytes(8))),
        ("settings", frames.settings([])),
        ("priorities", frames.frame(frames.PRIORITY, 0, 7, bytes(5))),
        ("unknown frames", frames.frame(0xEE, 0, 0)),
        ("farewells", frames.goaway(0, ErrorCode.NO_ERROR)),
    ],
)
def test_a_flood_is_told_to_calm_down_and_ends(what: str, nuisance: bytes) -> None:
    world = ConnectionWorld()

    world.say(nuisance * (SMALL.nuisances_max - 1))
    assert not world.wire.has_eof, what
    world.say(nuisance * 2)

    assert world.goaway()[0] is ErrorCode.ENHANCE_YOUR_CALM


def test_clients_of_grpc_are_told_of_pings_in_their_words() -> None:
    world = ConnectionWorld()

    world.say(frames.frame(frames.PING, 0, 0, bytes(8)) * (SMALL.nuisances_max + 1))

    assert world.wire.written.endswith(b"too_many_pings")


def test_the_same_frames_over_time_are_no_flood() -> None:
    world = ConnectionWorld()

    for _ in range(5):
        world.say(frames.frame(frames.PING, 0, 0, bytes(8)) * (SMALL.nuisances_max - 1))
        world.pass_s(1)

    assert world.is_well()


def test_calls_begun_and_taken_back_end_the_connection() -> None:
    world = ConnectionWorld(answers_at_once=False)

    for stream_id in range(1, 2 * SMALL.nuisances_max + 5, 2):
        world.say(world.call(stream_id=stream_id), frames.rst_stream(stream_id, ErrorCode.CANCEL))

    assert world.goaway()[0] is ErrorCode.ENHANCE_YOUR_CALM
    assert len(world.echo.ended) == len(world.echo.calls) <= SMALL.nuisances_max


def test_calls_that_make_the_server_reset_them_end_the_connection() -> None:
    world = ConnectionWorld(answers_at_once=False)

    for stream_id in range(1, 2 * SMALL.nuisances_max + 5, 2):
        world.say(world.call(stream_id=stream_id), frames.frame(frames.WINDOW_UPDATE, 0, stream_id, bytes(4)))

    assert world.goaway()[0] is ErrorCode.ENHANCE_YOUR_CALM


def test_empty_data_without_end_ends_the_connection() -> None:
    world = ConnectionWorld()
    world.say(world.headers(STREAM))

    world.say(world.data(b"", flags=0) * (SMALL.nuisances_max + 1))

    assert world.goaway()[0] is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("part", [b"", bytes(500)])
def test_a_header_block_without_end_ends_the_connection(part: bytes) -> None:
    world = ConnectionWorld()
    world.say(frames.frame(frames.HEADERS, 0, 1, b""))

    world.say(frames.frame(frames.CONTINUATION, 0, 1, part) * (SMALL.nuisances_max + 1))

    assert world.goaway()[0] is ErrorCode.ENHANCE_YOUR_CALM


def test_a_header_bomb_is_an_exhausted_call_and_not_much_work() -> None:
    world = ConnectionWorld()
    big = b"\x40\1a\x7f\xd1\x0e" + b"x" * 2_000

    world.say(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, big + b"\xbe" * 1_000))

    assert world.status()[0] is Status.RESOURCE_EXHAUSTED
    assert world.is_well()


def test_too_many_connections_are_told_to_go() -> None:
    world = ConnectionWorld()
    others = [(Connection(world.shared, world.loop), Wire()) for _ in range(2)]  # type: ignore[arg-type] # as much of a loop as is needed

    for connection, wire in others:
        connection.connection_made(wire)

    assert [wire.is_open for _, wire in others] == [True, False]
    assert frames_of(others[1][1].written)[-1].kind == frames.GOAWAY
    others[1][0].connection_lost(None)
    assert len(world.shared.connections) == 2


# --- time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"", frames.PREFACE[:10], frames.PREFACE])
def test_a_client_that_does_not_introduce_itself_is_let_go(begun: bytes) -> None:
    world = ConnectionWorld(has_begun=False)
    world.say(begun)

    world.pass_s(SMALL.request_s + 1)
    assert world.goaway()[0] is ErrorCode.PROTOCOL_ERROR
    world.pass_s(SMALL.linger_s + 1)

    assert not world.wire.is_open


@pytest.mark.parametrize("begun", [b"\0\0", frames.frame(frames.HEADERS, 0, 1, b"\x82")])
def test_what_is_begun_and_not_completed_ends_the_connection(begun: bytes) -> None:
    world = ConnectionWorld()
    world.pass_s(SMALL.request_s + 1)
    world.say(begun)

    world.pass_s(SMALL.request_s - 1)
    assert not world.wire.has_eof
    world.pass_s(2)

    assert world.wire.has_eof


def test_a_message_that_does_not_come_ends_its_call() -> None:
    world = ConnectionWorld()
    world.say(world.headers(), world.data(message(b"abc")[:-1], flags=0))

    world.pass_s(SMALL.request_s + 1)

    assert world.status()[0] is Status.DEADLINE_EXCEEDED
    assert world.is_well()
    assert world.budget_is_whole


def test_a_stream_may_be_silent_between_messages_and_not_inside_one() -> None:
    world = ConnectionWorld()
    world.say(world.headers(STREAM), world.data(message(b"abc"), flags=0))
    world.pass_s(SMALL.request_s + 1)
    assert not world.echo.ended

    world.say(world.data(b"\0", flags=0))
    world.pass_s(SMALL.request_s - 1)
    assert not world.echo.ended
    world.pass_s(2)

    assert world.echo.ended == world.echo.calls


def test_an_idle_connection_is_told_to_go_and_closed() -> None:
    world = ConnectionWorld()

    world.pass_s(SMALL.idle_s + 1)

    assert farewells(world) == [(0, ErrorCode.NO_ERROR)]
    assert not world.wire.is_open


def test_a_connection_with_a_call_is_not_idle() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    for _ in range(12):
        world.pass_s(30)
        world.say(frames.frame(frames.PING, 0, 0, bytes(8)))

    assert world.wire.is_open
    assert not world.echo.ended


def test_a_silent_client_is_asked_and_then_given_up() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())
    world.pass_s(0)

    world.pass_s(SMALL.probe_after_s + 1)
    assert [frame.kind for frame in world.frames()] == [frames.PING]
    world.pass_s(SMALL.probe_s - 2)
    assert world.wire.is_open
    world.pass_s(2)

    assert not world.wire.is_open


def test_a_client_that_answers_the_question_is_kept() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())
    world.pass_s(0)
    world.pass_s(SMALL.probe_after_s + 1)
    (ping,) = world.frames()

    world.say(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    world.pass_s(SMALL.probe_s + 1)

    assert world.wire.is_open
    assert world.frames() == []


def test_an_answer_that_is_not_read_is_taken_back() -> None:
    world = ConnectionWorld()
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 5)]), world.call())
    world.pass_s(SMALL.write_s - 1)
    world.say(frames.window_update(1, 2))
    world.pass_s(1)
    world.pass_s(SMALL.write_s - 1)
    assert frames.RST_STREAM not in [frame.kind for frame in world.frames()]

    world.pass_s(2)

    assert world.reset() is ErrorCode.CANCEL
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 100)]))
    assert world.is_well()


def test_nothing_is_read_while_answers_are_not_and_then_it_goes_on() -> None:
    world = ConnectionWorld()
    world.connection.pause_writing()
    assert not world.wire.reads
    world.say(world.call())
    assert frames.DATA not in [frame.kind for frame in world.frames()]

    world.connection.resume_writing()

    assert world.wire.reads
    assert [frame.kind for frame in world.frames()] == [frames.DATA, frames.HEADERS]


def test_a_client_that_reads_nothing_at_all_is_cut_off() -> None:
    world = ConnectionWorld()
    world.connection.pause_writing()

    world.pass_s(SMALL.write_s + 1)

    assert not world.wire.is_open


# --- the end ------------------------------------------------------------------------------------------


def test_a_stopping_server_answers_what_is_under_way_and_what_is_on_its_way() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    world.connection.stop()
    farewell, ping = world.frames()
    world.say(world.call(stream_id=3), frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    assert farewells(world) == [(3, ErrorCode.NO_ERROR)]
    world.say(world.call(stream_id=5))
    for call in world.echo.calls:
        assert world.wire.is_open
        call.finish()

    assert struct.unpack(">LL", farewell.payload[:8]) == (2**31 - 1, 0)
    assert len(world.echo.calls) == 2
    assert [frame.stream_id for frame in world.frames() if frame.kind == frames.HEADERS] == [1, 3]
    assert not world.wire.is_open


def test_a_stopping_server_closes_a_connection_without_calls_when_it_has_answered() -> None:
    world = ConnectionWorld()

    world.connection.stop()
    world.say(frames.frame(frames.PING, frames.ACK, 0, world.frames()[-1].payload))

    assert not world.wire.is_open


def test_a_stopping_server_does_not_wait_for_a_client_that_has_said_nothing() -> None:
    world = ConnectionWorld(has_begun=False)

    world.connection.stop()

    assert not world.wire.is_open


def test_the_last_connection_of_a_stopping_server_is_heard_to_go() -> None:
    world = ConnectionWorld()
    world.shared.is_stopping = True

    world.connection.connection_lost(None)

    assert world.shared.emptied.is_set()


def test_a_server_that_gives_up_answers_everything_with_the_reason() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call(), world.call(stream_id=3))

    world.connection.give_up(Overloaded("starting again"))

    assert world.status() == (Status.UNAVAILABLE, "starting again")
    assert world.echo.ended == world.echo.calls


def test_every_limit_can_be_set() -> None:
    world = ConnectionWorld(msgspec.structs.replace(SMALL, idle_s=1.0))

    world.pass_s(2)

    assert not world.wire.is_open
