"""A file as a reply: whole, one byte range of it (RFC 9110 section 14), or not at all when the client has it.

Files here are immutable and named by content, so the digest is a strong ETag. A request for several
ranges, or with a range that cannot be read, is answered with the whole file, as the RFC allows.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ganglion.core.errors import DataCorrupt, InvalidRequest
from ganglion.core.ids import Digest
from ganglion.entrypoints.hub_api.open_file import open_file
from ganglion.entrypoints.hub_api.problems import problem_response
from ganglion.wire.problems import Problem, problem_of

BINARY_TYPE = "application/octet-stream"
_CHUNK_BYTES = 65_536
"""A reader on a slow line holds a few of these in memory, and a whole fleet may read at the same time."""
_RANGE = re.compile(r"bytes=\s*(\d{0,15})-(\d{0,15})\s*")
_UNSATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, the end excluded."""

    start: int
    end: int


async def file_reply(request: Request, path: Path, digest: Digest) -> Response:
    """Return the file at `path`, whose content has `digest`, as the request's headers ask for it."""
    etag = f'"{digest}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=31536000, immutable"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    size = await _size_of(path)
    asked = request.headers.get("range", "")
    # If-Range: a client that holds a part of something else gets the whole.
    if request.headers.get("if-range", etag) != etag:
        asked = ""
    span = parse_range(asked, size)
    if span is None:
        return _slice(path, Span(0, size), 200, headers)
    if span.start >= span.end:
        return _not_satisfiable(size)
    return _slice(path, span, 206, headers | {"Content-Range": f"bytes {span.start}-{span.end - 1}/{size}"})


def parse_range(text: str, size: int) -> Span | None:
    """Return the one range that `text` asks for, empty when it lies outside the file; None for the whole file."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return Span(max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return Span(int(first), min(int(last) + 1, size) if last else size)


async def _size_of(path: Path) -> int:
    try:
        return (await anyio.Path(path).stat()).st_size
    except OSError as error:
        raise DataCorrupt(f"{path.name} cannot be read: {error.strerror}") from error


def _slice(path: Path, span: Span, status: int, headers: dict[str, str]) -> Response:
    length = {"Content-Length": str(span.end - span.start)}
    return StreamingResponse(_chunks(path, span), status, headers | length, BINARY_TYPE)


async def _chunks(path: Path, span: Span) -> AsyncIterator[bytes]:
    async with open_file(path, "rb") as file:
        await file.seek(span.start)
        left = span.end - span.start
        while left:
            chunk = await file.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise DataCorrupt(f"{path.name} is shorter than it was")
            left -= len(chunk)
            yield chunk


def _not_satisfiable(size: int) -> Response:
    plain = problem_of(InvalidRequest(f"the range begins after the last of {size} bytes"))
    problem = Problem(
        title=plain.title, status=_UNSATISFIABLE, detail=plain.detail, code=plain.code, remedy=plain.remedy
    )
    return problem_response(problem, {"Content-Range": f"bytes */{size}"})
