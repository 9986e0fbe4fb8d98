"""Who is calling, and may they: parts of a route's signature that say no before the route runs.

People bring an account's token, a session as a token or as the web page's cookie; programs bring a token of
their own; nodes bring an access token. With a cookie, calls that change something also need the session's CSRF
token: browsers send cookies wherever a page tells them to.
"""

from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.ports.hub_store import NodeRow
from ganglion.trust import bearer
from ganglion.trust.roles import Caller, Right

_ACCOUNT = HTTPBearer(scheme_name="account", description="A token of an account or a program.", auto_error=False)
_NODE = HTTPBearer(scheme_name="node", description="A node's access token.", auto_error=False)
Credentials = HTTPAuthorizationCredentials | None


async def hub_of(request: Request) -> Hub:
    """Return the hub that this application serves."""
    hub: Hub = request.app.state.hub
    return hub


HubPart = Annotated[Hub, Depends(hub_of)]


def account_of(request: Request, hub: HubPart, credentials: Annotated[Credentials, Depends(_ACCOUNT)]) -> Caller:
    """Return the person or program that calls. Raises: Unauthenticated, Forbidden: it is a node."""
    if credentials is not None:
        caller = _bearer(request, hub, credentials.credentials)
    else:
        secret = session.secret_of(request)
        caller = hub.accounts.authenticate_session(secret)
        name_caller(request, caller.actor)
        session.check_intended(request, secret)
    name_caller(request, caller.actor)
    return caller


def name_caller(request: Request, actor: str) -> None:
    """Remember who calls, for the audit chain: a refusal further on is written down with this name."""
    request.state.actor = actor


def needs(right: Right) -> Callable[[Caller], Caller]:
    """Return the part of a signature that lets only callers with this right pass."""

    def caller_with(caller: Annotated[Caller, Depends(account_of)]) -> Caller:
        caller.check(right)
        return caller

    return caller_with


async def node_token(request: Request, hub: HubPart, credentials: Annotated[Credentials, Depends(_NODE)]) -> str:
    """Return a node's access token, unproven. Raises: Unauthenticated: there is none. Forbidden: no node calls."""
    if credentials is None:
        raise Unauthenticated("this call needs a node's access token in the Authorization header")
    if bearer.kind_of(credentials.credentials) in _PEOPLE:
        await to_thread.run_sync(_refuse_people, request, hub, credentials.credentials)
    return credentials.credentials


NodeToken = Annotated[str, Depends(node_token)]


def node_of(request: Request, hub: HubPart, token: NodeToken) -> NodeRow:
    """Return the node that calls. Raises: Unauthenticated."""
    node = hub.enrolment.authenticate(token)
    name_caller(request, f"node:{node.name}")
    return node


def reader_of(
    request: Request,
    hub: HubPart,
    credentials: Annotated[Credentials, Depends(_NODE)],
    _same: Annotated[Credentials, Depends(_ACCOUNT)],
) -> str:
    """Return who reads what nodes and people may both read. Raises: Unauthenticated, Forbidden."""
    if credentials is not None and bearer.kind_of(credentials.credentials) not in _PEOPLE:
        return node_of(request, hub, credentials.credentials).name
    caller = account_of(request, hub, credentials)
    caller.check(Right.READ)
    return caller.name


Viewer = Annotated[Caller, Depends(needs(Right.READ))]
Curator = Annotated[Caller, Depends(needs(Right.CURATE))]
Operator = Annotated[Caller, Depends(needs(Right.OPERATE))]
Publisher = Annotated[Caller, Depends(needs(Right.PUBLISH))]
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Anyone = Annotated[Caller, Depends(account_of)]
"""Every account and every program, whatever its role."""
Node = Annotated[NodeRow, Depends(node_of)]
Reader = Annotated[str, Depends(reader_of)]

_PEOPLE = frozenset({"account", "session", "ci"})


def _bearer(request: Request, hub: Hub, token: str) -> Caller:
    match bearer.kind_of(token):
        case "ci":
            return hub.people.program_tokens.authenticate(token)
        case "session":
            return hub.accounts.authenticate_session(token)
        case "node":
            name_caller(request, f"node:{hub.enrolment.authenticate(token).name}")
            raise Forbidden("nodes do not make this call")
        case _:
            return hub.accounts.authenticate(token)


def _refuse_people(request: Request, hub: Hub, token: str) -> None:
    """Raises: Forbidden: the token is good, and no node's. Unauthenticated: it is not even good."""
    name_caller(request, _bearer(request, hub, token).actor)
    raise Forbidden("only nodes make this call")
