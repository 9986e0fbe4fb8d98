"""Recordings are lines that other programs read, and what a crash leaves of one can be read too."""

import json

import pytest

from ganglion.core import asciicast
from ganglion.core.asciicast import CastEvent, CastHeader, CastKind, CastWriter
from ganglion.core.errors import InvalidRequest

HEADER = CastHeader(width=80, height=24, timestamp=1_790_000_000, title="ada: a reason")


def a_recording(*pieces: tuple[CastKind, bytes]) -> bytes:
    writer = CastWriter(HEADER)
    lines = [writer.line(kind, data, at_s=number) for number, (kind, data) in enumerate(pieces)]
    return writer.first + b"".join(lines) + writer.last(at_s=float(len(pieces)))


def test_a_recording_is_read_as_it_was_written() -> None:
    data = a_recording((CastKind.SHOWN, b"$ "), (CastKind.TYPED, b"ls\r"), (CastKind.RESIZED, b"90x20"))

    assert asciicast.read(data) == (
        HEADER,
        [CastEvent(0.0, "o", "$ "), CastEvent(1.0, "i", "ls\r"), CastEvent(2.0, "r", "90x20")],
    )


def test_every_line_is_json_as_version_2_of_the_format_has_it() -> None:
    first, *rest = a_recording((CastKind.SHOWN, b"\x1b[1mbold\r\n")).splitlines()

    assert json.loads(first) == {
        "version": 2, "width": 80, "height": 24, "timestamp": 1_790_000_000, "title": "ada: a reason",
    }  # fmt: skip
    assert [json.loads(line) for line in rest] == [[0.0, "o", "\x1b[1mbold\r\n"]]


def test_a_character_that_two_reads_cut_in_half_is_whole_in_the_recording() -> None:
    euro = "€".encode()
    data = a_recording((CastKind.SHOWN, euro[:1]), (CastKind.TYPED, b"x"), (CastKind.SHOWN, euro[1:]))

    _, events = asciicast.read(data)

    assert [(event.kind, event.text) for event in events] == [("i", "x"), ("o", "€")]


def test_bytes_that_are_no_characters_are_marked_and_not_lost_sight_of() -> None:
    _, events = asciicast.read(a_recording((CastKind.SHOWN, b"\xff\xfe"), (CastKind.SHOWN, b"\xe2")))

    assert "".join(event.text for event in events) == "\N{REPLACEMENT CHARACTER}" * 3


def test_what_a_crash_left_of_the_last_line_is_left_out() -> None:
    data = a_recording((CastKind.SHOWN, b"a"), (CastKind.SHOWN, b"b"))

    _, events = asciicast.read(data[:-3])

    assert [event.text for event in events] == ["a"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]\n", b'{"version":3,"width":1,"height":1,"timestamp":1}\n', b"\xff\n", b"{" * 9000]
)
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        asciicast.read(data)


def test_a_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        asciicast.read(a_recording() + b'["a", 1]\n')
