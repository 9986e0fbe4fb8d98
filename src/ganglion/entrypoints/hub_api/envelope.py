"""What every request gets, whatever its route: an id, security headers, a place in the count, and an answer.

An error that nobody foresaw is logged with the request's id and answered with 500; the reply names the
id and nothing of the inside.
"""

from collections.abc import Callable

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganglion.core.errors import Overloaded
from ganglion.entrypoints.hub_api.problems import error_response, problem_response, unexpected
from ganglion.entrypoints.hub_wiring.metrics import HubMetrics

log = structlog.get_logger()

REQUEST_ID = "x-request-id"
_UNROUTED = "(none)"
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Envelope:
    """ASGI middleware around everything else."""

    def __init__(
        self, app: ASGIApp, *, metrics: HubMetrics, requests_max: int, hsts_s: int, new_id: Callable[[], str]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._requests_max = requests_max
        self._in_progress = 0
        self._new_id = new_id
        self._headers = dict(_HEADERS)
        if hsts_s:
            self._headers["strict-transport-security"] = f"max-age={hsts_s}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(send, self._headers, self._new_id())
        scope.setdefault("state", {})["request_id"] = reply.request_id
        self._in_progress += 1
        try:
            await self._serve(scope, receive, reply)
        finally:
            self._in_progress -= 1
            self._metrics.count_request(scope["method"], _route_of(scope), reply.status)

    async def _serve(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        if self._in_progress > self._requests_max:
            await error_response(Overloaded(f"{self._requests_max} requests are in progress"))(
                scope, receive, reply.send
            )
            return
        try:
            await self._app(scope, receive, reply.send)
        except ClientDisconnect:
            log.debug("request.abandoned", request_id=reply.request_id, route=_route_of(scope))
        except Exception:
            # The outermost edge of a request: nothing may pass here without an answer and a line in the log.
            log.exception("request.failed", request_id=reply.request_id, method=scope["method"], route=_route_of(scope))
            if not reply.status:
                await problem_response(unexpected(reply.request_id))(scope, receive, reply.send)


class _Reply:
    """The reply on its way out: dressed with headers, its status remembered. Thousands wait: it holds little."""

    __slots__ = ("_headers", "_send", "request_id", "status")

    def __init__(self, send: Send, headers: dict[str, str], request_id: str) -> None:
        self._send = send
        self._headers = headers
        self.request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault(REQUEST_ID, self.request_id)
            headers.setdefault("cache-control", "no-store")
        await self._send(message)


def _route_of(scope: Scope) -> str:
    """Return the route's template: the path itself would make one metric per node."""
    route = scope.get("route")
    return str(getattr(route, "path", _UNROUTED)) if isinstance(route, BaseRoute) else _UNROUTED
