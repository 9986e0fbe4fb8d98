"""Recordings of terminals: lines of JSON, one for each thing that was shown, typed or resized, with its time.

Source: the file format asciicast v2, https://docs.asciinema.org/manual/asciicast/v2/.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from ganglion.core.errors import InvalidRequest

VERSION: Final = 2


class CastKind(StrEnum):
    """What happened."""

    SHOWN = "o"
    TYPED = "i"
    RESIZED = "r"


class CastHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    version: int = VERSION
    width: int
    height: int
    timestamp: int
    """Wall-clock time of the beginning, seconds since 1970."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class CastEvent:
    """One further line."""

    at_s: float
    kind: str
    text: str


class CastWriter:
    """Makes lines of bytes as they come. A character that two reads cut in half is kept until it is whole."""

    def __init__(self, header: CastHeader) -> None:
        self.first = msgspec.json.encode(header) + b"\n"
        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in CastKind}

    def line(self, kind: CastKind, data: bytes, *, at_s: float) -> bytes:
        """Return the line for these bytes; nothing as long as they make no whole character."""
        text = self._decoders[kind].decode(data)
        return _line(kind, text, at_s) if text else b""

    def last(self, *, at_s: float) -> bytes:
        """Return the lines for halves of characters that were never made whole."""
        rests = ((kind, decoder.decode(b"", final=True)) for kind, decoder in self._decoders.items())
        return b"".join(_line(kind, text, at_s) for kind, text in rests if text)


def read(data: bytes) -> tuple[CastHeader, list[CastEvent]]:
    """Return what a recording holds; a last line that a cut left in half is left out.

    Raises: InvalidRequest: it is no recording of this format.
    """
    first, _, rest = data.partition(b"\n")
    try:
        header = msgspec.json.decode(first, type=CastHeader)
        events = [CastEvent(*msgspec.json.decode(line, type=tuple[float, str, str])) for line in _whole_lines(rest)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"this is no asciicast recording: {error}") from error
    if header.version != VERSION:
        raise InvalidRequest(f"the recording has version {header.version} of its format; {VERSION} is read")
    return header, events


def _whole_lines(data: bytes) -> Iterator[bytes]:
    lines = data.split(b"\n")
    # What follows the last new line was cut off, or is empty.
    yield from (line for line in lines[:-1] if line)


def _line(kind: CastKind, text: str, at_s: float) -> bytes:
    return msgspec.json.encode((round(max(at_s, 0.0), 6), kind.value, text)) + b"\n"
