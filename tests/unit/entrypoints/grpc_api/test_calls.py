"""One call: its messages, its status, and its end, whichever comes first."""

import gzip
import math
import struct

import pytest

from ganglion.core.errors import NotFound, Overloaded
from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Call, Status, UnaryMethod
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from unit.entrypoints.grpc_api.connection_world import END_STREAM, SMALL, ConnectionWorld, Frame, message

STREAM = {":path": "/test.Echo/Stream"}


def kinds(came: list[Frame]) -> list[int]:
    return [frame.kind for frame in came]


def test_a_short_call_is_answered_in_one_write() -> None:
    world = ConnectionWorld()
    writes: list[bytes] = []
    world.wire.write = writes.append  # type: ignore[assignment] # the test counts

    world.say(world.call(b"hello"))

    (written,) = writes
    world.wire.written += written
    head, content, end = world.frames()
    assert world.fields(head) == {":status": "200", "content-type": "application/grpc"}
    assert content.payload == message(b"hello")
    assert world.fields(end) == {"grpc-status": "0"}
    assert [frame.flags & END_STREAM for frame in (head, content, end)] == [0, 0, 1]
    assert world.budget_is_whole


def test_many_calls_of_one_read_are_answered_in_one_write() -> None:
    world = ConnectionWorld()
    writes: list[bytes] = []
    world.wire.write = writes.append  # type: ignore[assignment] # the test counts

    world.say(*[world.call(stream_id=stream_id) for stream_id in range(1, 41, 2)])

    assert len(writes) == 1


def test_an_answer_that_comes_later_is_sent_when_it_comes() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())
    assert world.frames() == []

    (call,) = world.echo.calls
    call.send(b"later")
    call.finish()

    assert kinds(world.frames()) == [frames.HEADERS, frames.DATA, frames.HEADERS]
    assert call.is_over
    assert world.budget_is_whole


def test_the_first_of_many_answers_does_not_wait_for_the_next() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())
    (call,) = world.echo.calls

    call.send(b"first")
    assert world.frames() == []
    world.loop.run()
    assert kinds(world.frames()) == [frames.HEADERS, frames.DATA]
    call.send(b"second")
    assert kinds(world.frames()) == [frames.DATA]
    call.finish()
    assert world.status()[0] is Status.OK


def test_an_answer_during_a_read_goes_out_with_it() -> None:
    world = ConnectionWorld(methods={"/test.Echo/Unary": UnaryMethod(lambda content, call: call.send(content))})

    world.say(world.call())

    assert kinds(world.frames()) == [frames.HEADERS, frames.DATA]


def test_a_failed_call_has_trailers_only() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    world.echo.calls[0].finish(Status.NOT_FOUND, "100 % gone: \u00e9\n")

    (end,) = world.frames()
    assert end.flags & END_STREAM
    assert world.fields(end) == {
        ":status": "200",
        "content-type": "application/grpc",
        "grpc-status": "5",
        "grpc-message": "100 %25 gone: %C3%A9%0A",
    }


def test_after_its_end_a_call_is_without_effect() -> None:
    world = ConnectionWorld()
    world.say(world.call())
    world.frames()
    (call,) = world.echo.calls

    call.send(b"more")
    call.finish(Status.INTERNAL)
    call.on_end(lambda: world.echo.ended.append(call))
    world.loop.run()

    assert world.frames() == []
    assert not world.echo.ended


def raising(error: Exception) -> UnaryMethod:
    def answer(content: bytes, call: Call) -> None:
        raise error

    return UnaryMethod(answer)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (NotFound("no such model"), Status.NOT_FOUND, "no such model"),
        (Overloaded("later"), Status.UNAVAILABLE, "later"),
        (ZeroDivisionError("secret"), Status.INTERNAL, "the server failed: ZeroDivisionError"),
    ],
)
def test_what_a_method_raises_is_the_status_of_its_call_alone(error: Exception, status: Status, text: str) -> None:
    methods = {**ConnectionWorld().echo.methods, "/test.Echo/Fails": raising(error)}
    world = ConnectionWorld(methods=methods)

    world.say(world.headers({":path": "/test.Echo/Fails"}), world.data(message(b"")))

    assert world.status() == (status, text)
    assert world.budget_is_whole
    assert world.is_well()


def test_an_unknown_method_is_unimplemented() -> None:
    world = ConnectionWorld()

    world.say(world.headers({":path": "/test.Echo/No"}), world.data(message(b"")))

    assert world.status() == (Status.UNIMPLEMENTED, "there is no method '/test.Echo/No'")
    assert world.is_well()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", Status.INVALID_ARGUMENT),
        (b"\0\0\0", Status.INVALID_ARGUMENT),
        (message(b"abc")[:-1], Status.INVALID_ARGUMENT),
        (message(b"a") + message(b"b"), Status.INVALID_ARGUMENT),
        (struct.pack(">BL", 1, 1) + b"a", Status.INTERNAL),
        (struct.pack(">BL", 0, 2**32 - 1), Status.RESOURCE_EXHAUSTED),
        (struct.pack(">BL", 0, SMALL.message_bytes_max + 1), Status.RESOURCE_EXHAUSTED),
    ],
)
def test_a_unary_call_has_one_whole_message(content: bytes, status: Status) -> None:
    world = ConnectionWorld()

    world.say(world.headers(), world.data(content))

    assert world.status()[0] is status
    assert not world.echo.calls
    assert world.budget_is_whole
    assert world.is_well()


def test_a_call_without_data_is_an_invalid_argument() -> None:
    world = ConnectionWorld()

    world.say(world.headers(flags=END_STREAM))

    assert world.status()[0] is Status.INVALID_ARGUMENT


def test_compressed_messages_are_inflated() -> None:
    world = ConnectionWorld()
    packed = gzip.compress(b"a" * 1000)

    world.say(world.headers({"grpc-encoding": "gzip"}), world.data(struct.pack(">BL", 1, len(packed)) + packed))
    world.say(world.headers({"grpc-encoding": "gzip"}, stream_id=3), world.data(message(b"plain"), stream_id=3))

    assert world.echo.heard == [b"a" * 1000, b"plain"]


def test_header_fields_beyond_the_limit_exhaust_and_harm_nobody() -> None:
    world = ConnectionWorld()

    world.say(world.headers({"x-long": "y" * 3_000}), world.data(message(b"")))

    assert world.status()[0] is Status.RESOURCE_EXHAUSTED
    assert world.is_well()


def test_a_full_budget_is_unavailable_and_free_again_after_the_call() -> None:
    world = ConnectionWorld(answers_at_once=False)
    assert world.budget.take(world.budget_full - 10)

    world.say(world.headers(), world.data(message(b"12345678901")))
    assert world.status()[0] is Status.UNAVAILABLE
    world.say(world.headers(stream_id=3), world.data(message(b"1234567890"), stream_id=3))
    assert not world.budget.take(1)
    world.echo.calls[0].finish()

    assert world.budget.take(10)


# --- streams of messages ------------------------------------------------------------------------------


def test_a_stream_is_answered_message_by_message() -> None:
    world = ConnectionWorld()

    world.say(world.headers(STREAM), world.data(message(b"one") + message(b"two")[:2], flags=0))
    assert [frame.payload for frame in world.frames() if frame.kind == frames.DATA] == [message(b"one")]
    world.say(world.data(message(b"two")[2:], flags=0))
    assert [frame.payload for frame in world.frames()] == [message(b"two")]
    world.say(world.data())

    assert world.status()[0] is Status.OK
    assert world.budget_is_whole


def test_a_service_may_end_a_stream_before_its_client_does() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.headers(STREAM), world.data(message(b"one"), flags=0))

    world.echo.calls[0].finish(Status.ABORTED, "enough")
    world.say(world.data(message(b"two"), flags=0), world.data())

    came = world.frames()
    assert kinds(came) == [frames.HEADERS, frames.RST_STREAM]
    assert came[-1].number == ErrorCode.NO_ERROR
    assert world.echo.heard == [b"one"]


def test_an_answer_that_nobody_reads_has_a_limit() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.headers(STREAM))
    (call,) = world.echo.calls

    for _ in range(6):
        call.send(bytes(100_000))

    assert world.reset() is ErrorCode.ENHANCE_YOUR_CALM
    assert call.is_over
    assert world.echo.ended == [call]


def test_a_last_answer_beyond_the_limit_is_a_reset_and_nothing_after_it() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]), world.call())
    world.frames()

    world.echo.calls[0].send(bytes(600_000))
    world.echo.calls[0].finish()

    assert kinds(world.frames()) == [frames.HEADERS, frames.RST_STREAM]


# --- ends that nobody wished ---------------------------------------------------------------------------


def test_a_reset_tells_the_service_once() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())
    (call,) = world.echo.calls

    world.say(frames.rst_stream(1, ErrorCode.CANCEL), frames.rst_stream(1, ErrorCode.CANCEL))
    call.send(b"in vain")
    call.finish()

    assert world.echo.ended == [call]
    assert call.is_over
    assert world.frames() == []
    assert world.budget_is_whole


def test_a_lost_connection_tells_every_service() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call(), world.headers(STREAM, stream_id=3))

    world.connection.connection_lost(ConnectionResetError())
    for call in world.echo.calls:
        call.send(b"in vain")
        call.finish()
    world.loop.run()

    assert len(world.echo.ended) == 2
    assert not world.shared.connections


def test_who_asks_after_the_end_is_told_at_once() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call(), frames.rst_stream(1, ErrorCode.CANCEL))
    told: list[str] = []

    world.echo.calls[0].on_end(lambda: told.append("over"))

    assert told == ["over"]


def test_a_service_that_fails_to_let_go_stops_no_other() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call(), world.call(stream_id=3))
    told: list[str] = []

    def fail() -> None:
        told.append("failed")
        raise ZeroDivisionError

    for call in world.echo.calls:
        call.on_end(fail)
    world.connection.connection_lost(None)

    assert told == ["failed", "failed"]
    assert len(world.echo.ended) == 2


def test_a_deadline_ends_the_call_on_both_sides() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.headers({"grpc-timeout": "250m"}), world.data(message(b"")))
    (call,) = world.echo.calls
    assert call.deadline_s == pytest.approx(world.loop.now_s + 0.25)

    world.pass_s(0.3)

    assert world.status()[0] is Status.DEADLINE_EXCEEDED
    assert world.echo.ended == [call]


def test_a_call_without_a_deadline_has_all_the_time() -> None:
    world = ConnectionWorld(answers_at_once=False)
    world.say(world.call())

    assert world.echo.calls[0].deadline_s == math.inf


def test_a_call_that_is_over_leaves_no_clock_behind() -> None:
    world = ConnectionWorld()

    world.say(world.headers({"grpc-timeout": "1H"}), world.data(message(b"")))

    assert not [timer for timer in world.loop.timers if timer.is_due]


def test_a_deadline_of_no_time_at_all_asks_no_service() -> None:
    world = ConnectionWorld()

    world.say(world.headers({"grpc-timeout": "0n"}), world.data(message(b"")))

    assert world.status()[0] is Status.DEADLINE_EXCEEDED
    assert not world.echo.calls


def test_a_call_knows_whether_its_client_is_on_this_machine() -> None:
    world = ConnectionWorld()
    world.say(world.call())

    assert world.echo.calls[0].is_local
