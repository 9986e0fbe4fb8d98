"""An error as a page, where a person with a browser asked for a page."""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from ganglion.entrypoints.hub_api.web.templates import render
from ganglion.wire import paths
from ganglion.wire.problems import Problem

_UNAUTHENTICATED, _SEE_OTHER = 401, 303
LOGIN = "/login"


def wants_page(request: Request) -> bool:
    """Tell whether the caller is a browser outside the API."""
    is_api = request.url.path.startswith(f"{paths.API}/")
    return not is_api and "text/html" in request.headers.get("accept", "")


def error_page(problem: Problem, headers: Mapping[str, str]) -> Response:
    """Return `problem` as a page; who is not logged in gets the login instead."""
    if problem.status == _UNAUTHENTICATED:
        return RedirectResponse(LOGIN, _SEE_OTHER)
    return render("error.html", status=problem.status, headers=headers, problem=problem)
