"""HTTP requests and responses as values, the bytes of a response, and every error as a problem document."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import orjson

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.wire import problems
from ganglion.wire.codec import JSON_TYPE

_STATUS_LINES = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus}
_RETRY_AFTER_S = "1"


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request. `headers` holds only those that matter here, with lower-case names."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    is_last: bool
    """The connection is to be closed after the answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; the body is the concatenation of `parts`, so that tensors are copied once."""

    status: int
    parts: tuple[bytes, ...]
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class HttpRefusal(Exception):
    """What came cannot be read on from: one answer, then the connection is closed."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_response(document: object, *, status: int = 200) -> Response:
    """Return `document` as JSON."""
    return Response(status, (orjson.dumps(document),))


def problem_response(error: GanglionError, *, status: int | None = None) -> Response:
    """Return the problem document of an error, with the member `error` that the Open Inference Protocol wants."""
    problem = msgspec.to_builtins(problems.problem_of(error))
    problem["error"] = error.message
    if status is not None:
        problem["status"] = status
    retry = (("Retry-After", _RETRY_AFTER_S),) if error.retryable else ()
    return Response(problem["status"], (orjson.dumps(problem),), problems.PROBLEM_TYPE, retry)


def refusal(status: int, reason: str) -> HttpRefusal:
    """Return a refusal of a request that is not HTTP as this server speaks it."""
    return HttpRefusal(problem_response(InvalidRequest(reason), status=status))


def render(response: Response, *, is_last: bool, without_body: bool) -> bytes:
    """Return the bytes of a response. The answer to HEAD has a length and no body."""
    parts = response.parts
    head = [
        _STATUS_LINES[response.status],
        f"Content-Type: {response.content_type}\r\nContent-Length: {sum([len(part) for part in parts])}\r\n",
        *[f"{name}: {value}\r\n" for name, value in response.headers],
        "Connection: close\r\n\r\n" if is_last else "\r\n",
    ]
    data = "".join(head).encode("latin-1")
    return data if without_body else b"".join((data, *parts))
