"""Logging in with an account's token, and out again."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from ganglion.core.errors import Unauthenticated
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_api.access import HubPart
from ganglion.entrypoints.hub_api.web.error_page import LOGIN
from ganglion.entrypoints.hub_api.web.templates import render

router = APIRouter()
_SEE_OTHER = 303
_TOKEN_LENGTH_MAX = 512


@router.get(LOGIN)
async def login_page() -> Response:
    """Ask for a token."""
    return render("login.html", refused="")


@router.post(LOGIN)
def login(hub: HubPart, request: Request, token: Annotated[str, Form(max_length=_TOKEN_LENGTH_MAX)]) -> Response:
    """Open a session; the token itself is not kept in the browser."""
    session.check_same_site(request)
    try:
        secret = hub.accounts.open_session(token.strip())
    except Unauthenticated as error:
        return render("login.html", status=401, refused=error.message)
    return session.start(RedirectResponse("/", _SEE_OTHER), secret, lasts_s=hub.settings.identity.session_life_s)


@router.post("/logout")
def logout(hub: HubPart, request: Request, csrf: Annotated[str, Form()]) -> Response:
    """Close the session, here and in the browser."""
    secret = session.secret_of(request)
    session.check_token(secret, csrf)
    hub.accounts.close_session(secret)
    return session.end(RedirectResponse(LOGIN, _SEE_OTHER))
