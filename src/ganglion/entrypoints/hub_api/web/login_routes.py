"""Logging in with a password or an account's token, and out again; choosing a password; letting a command line in."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from ganglion.core.errors import InvalidRequest, NotFound, Overloaded
from ganglion.core.identity_errors import LoginBlocked, TokenRefused, Unauthenticated
from ganglion.entrypoints.hub_api import people_views, session
from ganglion.entrypoints.hub_api.access import HubPart, name_caller
from ganglion.entrypoints.hub_api.web.error_page import LOGIN
from ganglion.entrypoints.hub_api.web.templates import render
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.hub.services.people.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from ganglion.wire import problems

router = APIRouter(include_in_schema=False)
_SEE_OTHER = 303
_TEXT_LENGTH_MAX = 512
_Text = Annotated[str, Form(max_length=_TEXT_LENGTH_MAX)]
_Code = Annotated[str, Query(max_length=_TEXT_LENGTH_MAX)]


@router.get(LOGIN)
async def login_page(hub: HubPart) -> Response:
    """Ask for a name and a password, or for a token."""
    return _login_page(hub)


@router.post(LOGIN)
def login(hub: HubPart, request: Request, token: _Text = "", name: _Text = "", password: _Text = "") -> Response:
    """Open a session; neither password nor token is kept in the browser."""
    session.check_same_site(request)
    try:
        if token:
            secret = hub.accounts.open_session(token.strip())
        else:
            secret = hub.people.passwords.open_session(name.strip(), password, peer=people_views.peer_of(request))
    except (Unauthenticated, LoginBlocked, Overloaded) as error:
        return _login_page(hub, status=problems.status_of(error), refused=error.message)
    return _enter(hub, secret)


@router.post("/logout")
def logout(hub: HubPart, request: Request, csrf: Annotated[str, Form()]) -> Response:
    """Close the session, here and in the browser."""
    secret = session.secret_of(request)
    session.check_token(secret, csrf)
    hub.accounts.close_session(secret)
    return session.end(RedirectResponse(LOGIN, _SEE_OTHER))


@router.get(people_views.WELCOME)
async def welcome_page(code: _Code = "") -> Response:
    """Ask who came by a one-time link for the password that they choose."""
    return _welcome_page(code)


@router.post(people_views.WELCOME)
def welcome(hub: HubPart, request: Request, code: _Text, password: _Text, again: _Text) -> Response:
    """Keep the chosen password, and open a session."""
    session.check_same_site(request)
    if password != again:
        return _welcome_page(code, status=400, refused="the two passwords differ")
    try:
        secret = hub.people.passwords.spend_link(code, password)
    except (InvalidRequest, TokenRefused, Overloaded) as error:
        return _welcome_page(code, status=problems.status_of(error), refused=error.message)
    return _enter(hub, secret)


@router.get(people_views.GRANT)
def grant_page(hub: HubPart, request: Request, code: _Code = "") -> Response:
    """Ask who is logged in whether a command line may act as them."""
    secret = session.secret_of(request)
    return _grant_page(hub.accounts.authenticate_session(secret).name, code, secret)


@router.post(people_views.GRANT)
def grant(hub: HubPart, request: Request, code: _Text, csrf: Annotated[str, Form()]) -> Response:
    """Let the command line in that shows this code."""
    secret = session.secret_of(request)
    caller = hub.accounts.authenticate_session(secret)
    name_caller(request, caller.actor)
    session.check_token(secret, csrf)
    try:
        hub.people.browser_logins.grant(code, by=caller)
    except NotFound as error:
        return _grant_page(caller.name, code, secret, status=404, refused=error.message)
    return render("granted.html")


def _enter(hub: Hub, secret: str) -> Response:
    return session.start(RedirectResponse("/", _SEE_OTHER), secret, lasts_s=hub.settings.identity.session_life_s)


def _login_page(hub: Hub, *, status: int = 200, refused: str = "") -> Response:
    return render("login.html", status=status, refused=refused, provider=hub.people.provider_name)


def _welcome_page(code: str, *, status: int = 200, refused: str = "") -> Response:
    return render(
        "welcome.html",
        status=status,
        code=code,
        refused=refused,
        length_min=PASSWORD_LENGTH_MIN,
        length_max=PASSWORD_LENGTH_MAX,
    )


def _grant_page(account: str, code: str, secret: str, *, status: int = 200, refused: str = "") -> Response:
    return render(
        "grant.html", status=status, account=account, code=code, csrf=session.csrf_token(secret), refused=refused
    )
