"""Every error of the HTTP surface as a problem document (RFC 9457), whoever raised it."""

import math
from collections.abc import Mapping, Sequence

import structlog
from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ganglion.core.errors import GanglionError, InvalidRequest, NotFound, Unavailable, Untrusted
from ganglion.core.identity_errors import Unauthenticated
from ganglion.entrypoints.hub_api.web.error_page import error_page, wants_page
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.wire import codec
from ganglion.wire.problems import PROBLEM_TYPE, Problem, problem_of

log = structlog.get_logger()

RETRY_AFTER_S = 2
_NOT_FOUND, _METHOD_NOT_ALLOWED = 404, 405
_FIELDS_NAMED_MAX = 20


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return `problem` as a reply."""
    return Response(codec.encode_json(problem), problem.status, dict(headers or {}), PROBLEM_TYPE)


def error_response(error: GanglionError) -> Response:
    """Return `error` as a reply, with the headers that its status asks for."""
    return problem_response(problem_of(error), headers_of(error))


def headers_of(error: GanglionError) -> dict[str, str]:
    """Return what the status of `error` demands beside the body."""
    if isinstance(error, Unavailable):
        return {"Retry-After": str(math.ceil(error.retry_after_s or RETRY_AFTER_S))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def install(app: FastAPI) -> None:
    """Answer every expected exception of `app` with a problem document; people's pages get a page."""
    app.add_exception_handler(GanglionError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)


def _answer(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
    if wants_page(request):
        return error_page(problem, headers)
    return problem_response(problem, headers)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GanglionError)
    # Whoever proves nothing is turned away without a trace: a node's token ends every quarter of an hour.
    if isinstance(error, Untrusted) and not isinstance(error, Unauthenticated):
        await to_thread.run_sync(_write_down, request, error)
    return _answer(request, problem_of(error), headers_of(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = error.errors()
    if any(tuple(field["loc"]) == ("body",) for field in fields) and not _says_json(request):
        return _answer(request, problem_of(InvalidRequest("the body must be JSON, sent as application/json")), {})
    return _answer(request, problem_of(InvalidRequest(_say_fields(fields))), {})


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Translate what the framework itself refuses: unknown routes, wrong methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    return _answer(request, _problem_of_framework(request, error), error.headers or {})


async def _on_unexpected(request: Request, _: Exception) -> Response:
    """Answer; the envelope logs, for the framework raises the error once more behind this."""
    return _answer(request, unexpected(request.state.request_id), {})


def _write_down(request: Request, error: GanglionError) -> None:
    """Add the refusal to the audit chain. It stays a refusal when that fails, which the log then says."""
    hub: Hub = request.app.state.hub
    actor = getattr(request.state, "actor", "(unknown)")
    try:
        hub.audit.refused(actor, f"{request.method} {request.url.path}", error)
    except GanglionError as failure:
        log.exception("audit.failed", actor=actor, code=error.code, reason=failure.message)


def unexpected(request_id: str) -> Problem:
    """Return what a caller is told of an error that nobody foresaw: the number under which the log has it."""
    return problem_of(GanglionError(f"the hub failed on this request; its log names it {request_id}"))


def _problem_of_framework(request: Request, error: HTTPException) -> Problem:
    if error.status_code == _NOT_FOUND:
        return problem_of(NotFound(f"there is nothing at {request.url.path[:200]}"))
    rejected = problem_of(InvalidRequest(str(error.detail)))
    if error.status_code == _METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "other methods")
        return _with_status(rejected, _METHOD_NOT_ALLOWED, f"{request.method} is not allowed here; use {allowed}")
    return _with_status(rejected, error.status_code, rejected.detail)


def _with_status(problem: Problem, status: int, detail: str) -> Problem:
    return Problem(title=problem.title, status=status, detail=detail, code=problem.code, remedy=problem.remedy)


def _says_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "")


def _say_fields(errors: Sequence[Mapping[str, object]]) -> str:
    """Name each wrong field and why; never echo what was sent, it may be a secret."""
    told = [f"{_path(error.get('loc'))}: {error.get('msg')}" for error in errors[:_FIELDS_NAMED_MAX]]
    more = len(errors) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _path(location: object) -> str:
    parts = location if isinstance(location, list | tuple) else (location,)
    return ".".join(str(part) for part in parts)
