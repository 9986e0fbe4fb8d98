"""Frames as bytes, and what a client may not put into them."""

import pytest
from hyperframe.frame import Frame

from ganglion.entrypoints.grpc_api import frames
from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode


@pytest.mark.parametrize(
    ("written", "body"),
    [
        (frames.settings([(frames.MAX_CONCURRENT_STREAMS, 7), (frames.INITIAL_WINDOW_SIZE, 9)]), "{3: 7, 4: 9}"),
        (frames.window_update(3, 70_000), "70000"),
        (frames.rst_stream(5, ErrorCode.CANCEL), "8"),
        (frames.goaway(9, ErrorCode.ENHANCE_YOUR_CALM, "slow down"), "slow down"),
        (frames.frame(frames.PING, frames.ACK, 0, b"12345678"), "12345678"),
    ],
)
def test_written_frames_are_read_by_another_implementation(written: bytes, body: str) -> None:
    found, length = Frame.parse_frame_header(memoryview(written[:9]))
    found.parse_body(memoryview(written[9:]))

    assert length == len(written) - 9
    assert body in repr(vars(found))


@pytest.mark.parametrize(
    ("payload", "content"), [(b"\0abc", b"abc"), (b"\2abc..", b"abc"), (b"\0", b""), (b"\3...", b"")]
)
def test_padding_is_taken_away(payload: bytes, content: bytes) -> None:
    assert frames.without_padding(payload, frames.PADDED) == content


def test_what_is_not_padded_is_left_alone() -> None:
    assert frames.without_padding(b"\2abc", 0) == b"\2abc"


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"", ErrorCode.FRAME_SIZE_ERROR), (b"\1", ErrorCode.PROTOCOL_ERROR), (b"\4abc", ErrorCode.PROTOCOL_ERROR)],
)
def test_padding_that_does_not_fit_is_refused(payload: bytes, code: ErrorCode) -> None:
    with pytest.raises(ConnectionFault) as caught:
        frames.without_padding(payload, frames.PADDED)

    assert caught.value.code is code


def test_the_priority_before_a_header_block_is_passed_over() -> None:
    flags = frames.PADDED | frames.WITH_PRIORITY

    assert frames.header_fragment(b"\2\0\0\0\1\xffblock..", flags) == b"block"
    with pytest.raises(ConnectionFault):
        frames.header_fragment(b"\0\0\0", frames.WITH_PRIORITY)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        (frames.ENABLE_PUSH, 2, ErrorCode.PROTOCOL_ERROR),
        (frames.INITIAL_WINDOW_SIZE, 2**31, ErrorCode.FLOW_CONTROL_ERROR),
        (frames.MAX_FRAME_SIZE, 16_383, ErrorCode.PROTOCOL_ERROR),
        (frames.MAX_FRAME_SIZE, 2**24, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_setting_outside_its_range_is_refused(name: int, value: int, code: ErrorCode) -> None:
    with pytest.raises(ConnectionFault) as caught:
        list(frames.settings_of(frames.settings([(name, value)])[9:]))

    assert caught.value.code is code


def test_unknown_settings_are_given_on() -> None:
    assert list(frames.settings_of(frames.settings([(0xAAAA, 5)])[9:])) == [(0xAAAA, 5)]
