"""Logging in with an identity provider: the browser goes there, and comes back with a code.

A cookie ties the answer to the browser that asked, so that nobody is logged in as somebody else by a link.
"""

import hmac
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ganglion.core.errors import Conflict, NotFound
from ganglion.core.identity_errors import Forbidden, ProviderFailed, Unauthenticated
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_api.access import HubPart
from ganglion.entrypoints.hub_api.web.templates import render
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.hub.services.people.provider_logins import LIFE_S, ProviderLogins
from ganglion.wire import problems

router = APIRouter(include_in_schema=False)
_COOKIE = "__Host-ganglion-login"
_CALLBACK = "/login/provider/callback"
_SEE_OTHER = 303
_Text = Annotated[str, Query(max_length=4096)]


@router.get("/login/provider")
def begin(hub: HubPart, request: Request) -> Response:
    """Send the browser to the provider."""
    redirect_uri = hub.settings.identity.provider.redirect_url or f"{str(request.base_url).rstrip('/')}{_CALLBACK}"
    try:
        address, state = _logins(hub).begin(redirect_uri)
    except ProviderFailed as error:
        return _refused(hub, error)
    reply = RedirectResponse(address, _SEE_OTHER)
    # Lax, not strict: the answer arrives by a redirect from the provider's site.
    reply.set_cookie(_COOKIE, state, max_age=int(LIFE_S), path="/", secure=True, httponly=True, samesite="lax")
    return reply


@router.get(_CALLBACK)
def finish(hub: HubPart, request: Request, state: _Text = "", code: _Text = "", error: _Text = "") -> Response:
    """Take the provider's answer, and open a session."""
    asked = request.cookies.get(_COOKIE, "")
    try:
        _check_answer(asked, state, code, error)
        secret = _logins(hub).finish(state, code)
    except (Unauthenticated, Forbidden, Conflict, ProviderFailed) as refusal:
        return _refused(hub, refusal)
    # A page, not a redirect: browsers keep a strict cookie back from what follows another site's redirect.
    reply = session.start(render("entered.html"), secret, lasts_s=hub.settings.identity.session_life_s)
    reply.delete_cookie(_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return reply


def _check_answer(asked: str, state: str, code: str, error: str) -> None:
    """Raises: Unauthenticated: it answers no question of this browser, or is no proof."""
    if not state or not hmac.compare_digest(asked.encode(), state.encode()):
        raise Unauthenticated("this answer belongs to no login of this browser: begin again")
    if error or not code:
        raise Unauthenticated(f"the provider did not log you in: {error[:100] or 'it sent no code'}")


def _logins(hub: Hub) -> ProviderLogins:
    if hub.people.provider is None:
        raise NotFound("this hub has no identity provider")
    return hub.people.provider


def _refused(hub: Hub, error: Unauthenticated | Forbidden | Conflict | ProviderFailed) -> Response:
    return render(
        "login.html",
        status=problems.status_of(error),
        refused=error.message,
        provider=hub.people.provider_name,
    )
