"""The page's form that lets a node in quarantine in again."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes, session
from ganglion.entrypoints.hub_api.access import HubPart, name_caller
from ganglion.trust.roles import Right

router = APIRouter(include_in_schema=False)
_SEE_OTHER = 303
_NAME_LENGTH_MAX = 64


@router.post("/admit")
def admit(
    hub: HubPart,
    request: Request,
    name: Annotated[str, Form(max_length=_NAME_LENGTH_MAX)],
    csrf: Annotated[str, Form()],
) -> Response:
    """Admit one node in the name of who is logged in, and go back to the fleet."""
    secret = session.secret_of(request)
    caller = hub.accounts.authenticate_session(secret)
    name_caller(request, caller.actor)
    session.check_token(secret, csrf)
    caller.check(Right.OPERATE)
    scopes.check_node(hub, caller, name)
    hub.standings.admit(parse_name(name, what="node"), actor=caller.actor)
    return RedirectResponse("/#fleet", _SEE_OTHER)
