"""Requests as HTTP/2 wants them, the table that their header blocks share, and whatever else may come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.frames import ErrorCode
from ganglion.entrypoints.grpc_api.hpack import literal
from unit.entrypoints.grpc_api.connection_world import (
    END_HEADERS,
    END_STREAM,
    REQUEST,
    SMALL,
    ConnectionWorld,
    frames_of,
    message,
)

SETTINGS = frames.settings([])


@pytest.mark.parametrize(
    "changes",
    [
        {":method": None},
        {":scheme": None},
        {":path": None},
        {":path": ""},
        {":status": "200"},
        {"connection": "close"},
        {"te": "gzip"},
        {"Upper": "x"},
    ],
)
def test_a_malformed_request_resets_its_stream_and_no_other(changes: dict[str, str | None]) -> None:
    world = ConnectionWorld()

    world.say(world.headers(changes, flags=END_STREAM))

    assert world.reset() is ErrorCode.PROTOCOL_ERROR
    assert world.is_well()


@pytest.mark.parametrize("length", ["0", "5", "7"])
def test_a_content_length_that_is_another_one_resets_the_stream(length: str) -> None:
    world = ConnectionWorld()

    world.say(world.headers({"content-length": length}), world.data(message(b"a")))

    assert world.reset() is ErrorCode.PROTOCOL_ERROR
    assert not world.echo.calls


def test_trailers_end_a_request() -> None:
    world = ConnectionWorld()
    block = world.encoder.encode([("x-sum", "1")])

    world.say(world.headers({"content-length": "6"}), world.data(message(b"a"), flags=0))
    world.say(frames.frame(frames.HEADERS, END_HEADERS | END_STREAM, 1, block))

    assert world.status()[0] is Status.OK


@pytest.mark.parametrize(("fields", "flags"), [([("x-sum", "1")], 0), ([(":path", "/")], END_STREAM)])
def test_trailers_that_are_none_reset_the_stream(fields: list[tuple[str, str]], flags: int) -> None:
    world = ConnectionWorld()
    world.say(world.headers())

    world.say(frames.frame(frames.HEADERS, END_HEADERS | flags, 1, world.encoder.encode(fields)))

    assert world.reset() is ErrorCode.PROTOCOL_ERROR


def test_a_block_that_nobody_wants_still_counts_for_the_table() -> None:
    world = ConnectionWorld(answers_at_once=False)
    for stream_id in range(1, 2 * SMALL.calls_max, 2):
        world.say(world.call(stream_id=stream_id))
    world.say(world.headers({"x-new": "refused"}, stream_id=91, flags=END_STREAM))
    world.say(world.headers({"x-bad": "one", "te": "bad"}, stream_id=93, flags=END_STREAM))
    world.echo.calls[0].finish()

    world.say(
        world.headers({"x-new": "refused", "x-bad": "one"}, stream_id=95), world.data(message(b"a"), stream_id=95)
    )

    assert world.echo.calls[-1].metadata["x-new"] == "refused"
    assert world.echo.calls[-1].metadata["x-bad"] == "one"


def test_a_known_block_means_something_else_after_the_table_has_changed() -> None:
    world = ConnectionWorld()
    newest = bytes([0x80 | 62])
    head = b"".join([literal(name, value) for name, value in REQUEST.items()])

    for stream_id, kept in ((1, b"\x40\1k\1a"), (3, b""), (5, b""), (7, b"\x40\1k\1b"), (9, b"")):
        world.say(frames.frame(frames.HEADERS, END_HEADERS, stream_id, head + (kept or newest)))
        world.say(world.data(message(b""), stream_id=stream_id))

    assert [call.metadata["k"] for call in world.echo.calls] == ["a", "a", "a", "b", "b"]


# --- anything -----------------------------------------------------------------------------------------

some_frames = st.builds(
    frames.frame,
    st.integers(0, 10),
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x25, 0x2D, 0xFF]),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1]),
    st.binary(max_size=30),
)


@given(st.binary(max_size=200))
def test_any_bytes_after_the_beginning_are_survived(said: bytes) -> None:
    world = ConnectionWorld()

    world.say(said)
    world.pass_s(100)

    assert frames_of(world.wire.written)
    assert world.wire.has_eof or world.is_well(stream_id=2**31 - 1)


@given(st.lists(some_frames, max_size=20))
def test_any_frames_are_survived_and_hold_nothing_back(said: list[bytes]) -> None:
    world = ConnectionWorld()

    world.say(*said)
    world.connection.connection_lost(None)

    assert world.budget_is_whole
    assert frames_of(world.wire.written)


@given(st.lists(st.integers(0, 500), max_size=12))
def test_calls_are_the_same_wherever_their_bytes_are_cut(cuts: list[int]) -> None:
    world = ConnectionWorld(has_begun=False)
    said = b"".join(
        [
            frames.PREFACE + SETTINGS,
            world.headers({"x": "1"}) + world.data(message(b"one")),
            world.headers({":path": "/test.Echo/Stream"}, stream_id=3),
            world.data(message(b"two") + message(b"three"), stream_id=3),
            world.headers({"x": "1"}, stream_id=5) + world.data(message(b"four"), stream_id=5),
        ]
    )
    edges = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]

    for start, end in pairwise(edges):
        world.say(said[start:end])

    assert world.echo.heard == [b"one", b"two", b"three", b"four"]
    content = [frame.payload for frame in world.frames() if frame.kind == frames.DATA]
    assert content == [message(part) for part in world.echo.heard]
