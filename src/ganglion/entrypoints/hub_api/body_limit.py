"""Bodies under a limit, while they arrive: by their declared length, by what was read, and by the clock.

A client that is still sending when it is refused is listened to for a moment, so that it can read the
answer before the connection closes under it.
"""

from collections.abc import Callable

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganglion.core.delivery_errors import BodyStalled
from ganglion.core.errors import GanglionError, InvalidRequest, TooLarge
from ganglion.entrypoints.hub_api.problems import error_response

_LINGER_S = 1.0
_LINGER_BYTES_MAX = 64_000_000


class BodyLimit:
    """ASGI middleware: no request sends more, or more slowly, than its route grants."""

    def __init__(self, app: ASGIApp, *, limit_of: Callable[[Scope], int], idle_s_max: float) -> None:
        self._app = app
        self._limit_of = limit_of
        self._idle_s_max = idle_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, limit=self._limit_of(scope), idle_s_max=self._idle_s_max)
        answer = _Answer(send, body)
        body.check_declared(Headers(scope=scope))
        if body.error is None:
            await self._app(scope, body.receive, answer.send)
        if body.error is not None and not answer.started:
            await error_response(body.error)(scope, receive, answer.send_anyway)


class _Body:
    """The body as it arrives. `error` is set once it broke a limit; the reader is told by an exception."""

    def __init__(self, receive: Receive, *, limit: int, idle_s_max: float) -> None:
        self._receive = receive
        self._limit = limit
        self._idle_s_max = idle_s_max
        self._received = 0
        self.complete = False
        self.error: GanglionError | None = None

    def check_declared(self, headers: Headers) -> None:
        """Refuse by Content-Length alone what is too long, before a byte of it is read."""
        self.complete = "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            self.error = InvalidRequest(f"Content-Length is not a number: {declared[:40]!r}")
        elif int(declared) > self._limit:
            self.error = self._too_large()

    async def receive(self) -> Message:
        """Return the next part. Raises: TooLarge, BodyStalled."""
        if self.complete:
            return await self._receive()
        message = await self._next_part()
        self._received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self._received > self._limit:
            self.error = self._too_large()
            raise self.error
        return message

    async def drain(self) -> None:
        """Throw away what still arrives, for a moment."""
        drained = 0
        with anyio.move_on_after(_LINGER_S):
            while not self.complete and drained < _LINGER_BYTES_MAX:
                message = await self._receive()
                drained += len(message.get("body", b""))
                self.complete = not message.get("more_body", False)

    async def _next_part(self) -> Message:
        try:
            with anyio.fail_after(self._idle_s_max):
                return await self._receive()
        except TimeoutError as error:
            self.error = BodyStalled(f"nothing of the body arrived for {self._idle_s_max:g} s")
            raise self.error from error

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body may have {self._limit} bytes")


class _Answer:
    """The reply on its way. Frameworks turn an error while reading into their own reply; it is held back here."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send = send
        self._body = body
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass the application's reply on, unless the body broke a limit before it began."""
        if self._body.error is None or self.started:
            await self.send_anyway(message)

    async def send_anyway(self, message: Message) -> None:
        """Pass a reply on; when the client is still sending, close the connection, but not at once."""
        if message["type"] == "http.response.start":
            self.started = True
            if not self._body.complete:
                MutableHeaders(raw=message["headers"])["connection"] = "close"
        elif not self._body.complete and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.drain()
            message = {"type": "http.response.body"}
        await self._send(message)
