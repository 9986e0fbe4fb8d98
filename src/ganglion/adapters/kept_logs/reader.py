"""Reads kept logs by time, level and text: the newest lines that fit, in the order of time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ganglion.adapters.kept_logs.regular import opened_file
from ganglion.adapters.kept_logs.writer import LINE_BYTES_MAX

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_CHUNK_BYTES = 65_536
_LINE_BYTES_MAX = 4 * LINE_BYTES_MAX
"""No character takes more than four bytes."""
_READ_BYTES_MAX = 100_000_000
"""Of the logs of one process: more than it keeps, unless somebody has set far wider limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which lines are wanted. Times are ISO 8601 in UTC, as lines carry them; empty: without that limit."""

    since: str = ""
    until: str = ""
    level: str = "debug"
    """This level and above."""
    text: str = ""
    """What the line contains."""
    lines_max: int = 500
    bytes_max: int = 200_000


class _Head(msgspec.Struct):
    timestamp: str = ""
    level: str = "info"


class LogReader:
    """Reads what `LogFile` wrote in a folder, of all processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, query: LogQuery) -> list[str]:
        """Return matching lines, oldest first; when they are too many, the newest of them. Raises: OSError."""
        found = sorted((line for file in self._logs() for line in _newest(file, query)), key=lambda pair: pair[0])
        kept: list[str] = []
        size = 0
        for _, line in reversed(found):
            size += len(line.encode()) + 1
            if len(kept) == query.lines_max or size > query.bytes_max:
                break
            kept.append(line)
        return kept[::-1]

    def _logs(self) -> Iterator[list[Path]]:
        """Yield the files of each process, newest first."""
        for newest in sorted(self._folder.glob("*.jsonl")):
            older = sorted(self._folder.glob(f"{newest.name}.*"), key=lambda file: (len(file.name), file.name))
            yield [newest, *older]


def _newest(files: list[Path], query: LogQuery) -> Iterator[tuple[str, str]]:
    """Yield the newest matching lines of one process with their times, newest first, and no more than may be needed."""
    size = count = 0
    for line in _backwards(files):
        head = _head(line)
        if query.since and head.timestamp and head.timestamp < query.since:
            return
        if not _matches(head, line, query):
            continue
        count, size = count + 1, size + len(line) + 1
        if count > query.lines_max or size > query.bytes_max:
            return
        yield head.timestamp, line


def _matches(head: _Head, line: str, query: LogQuery) -> bool:
    if query.until and head.timestamp > query.until:
        return False
    if _rank(head.level) < _rank(query.level):
        return False
    return not query.text or query.text in line


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _head(line: str) -> _Head:
    try:
        return msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        # A line that a power cut left half-written, or that was cut for its length: shown where it stands.
        return _Head(level="error")


def _backwards(files: list[Path]) -> Iterator[str]:
    left = _READ_BYTES_MAX
    for file in files:
        try:
            with os.fdopen(opened_file(file, os.O_RDONLY), "rb") as stream:
                size = stream.seek(0, 2)
                yield from _lines_backwards(stream, down_to=max(size - left, 0))
        except OSError:
            continue  # It was replaced while this was read, or somebody put something else in its place.
        left -= size
        if left <= 0:
            return


def _lines_backwards(stream: BinaryIO, *, down_to: int) -> Iterator[str]:
    place, rest = stream.seek(0, 2), b""
    while place > down_to:
        step = min(place, _CHUNK_BYTES)
        place -= step
        stream.seek(place)
        first, *lines = (stream.read(step) + rest).split(b"\n")
        # Of a line without an end the beginning is enough: nobody here has written it.
        rest = first[:_LINE_BYTES_MAX]
        yield from (line[:_LINE_BYTES_MAX].decode("utf-8", "replace") for line in reversed(lines) if line)
    if rest:
        yield rest.decode("utf-8", "replace")
