"""HTTP requests and responses as values, the bytes of a response, and every error as a problem document."""

from http import HTTPStatus

import msgspec
import orjson

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.wire import problems
from ganglion.wire.codec import JSON_TYPE

_STATUS_LINES = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus}
_RETRY_AFTER_S = "1"
_END, _LAST_END = b"\r\n", b"Connection: close\r\n\r\n"
_END_OF_HEAD = b"\r\n\r\n"


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a request. `headers` holds only those that matter here, with lower-case names."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    is_last: bool
    """The connection is to be closed after the answer."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One complete request."""

    head: Head
    body: bytes
    is_local: bool
    """The client is on this machine, and trusted as such."""
    certificate: str = ""
    """SHA-256 of the certificate that the client has proved to own; empty: none."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """One answer; the body is the concatenation of `parts`, so that tensors are copied once."""

    status: int
    parts: tuple[bytes, ...]
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    whole: bytes = b""
    """All bytes of a 200 that keeps the connection open, when they were put together already; `parts` is empty then."""


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


def render(response: Response, is_last: bool, without_body: bool) -> bytes:  # noqa: FBT001 - both stand in every call
    """Return the bytes of a response. The answer to HEAD has a length and no body."""
    end = _LAST_END if is_last else _END
    if response.whole:
        head, _, body = response.whole.partition(_END_OF_HEAD)
        return b"".join((head, _END, end, body))
    parts = response.parts
    head = _head(response.status, response.content_type, sum([len(part) for part in parts]), response.headers)
    return head + end if without_body else b"".join((head, end, *parts))


def _head(status: int, content_type: str, length: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the status line and the header fields, without the empty line that ends them."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    head = f"{_STATUS_LINES[status]}Content-Type: {content_type}\r\nContent-Length: {length}\r\n{fields}"
    return head.encode("latin-1")
