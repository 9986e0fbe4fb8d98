"""Who is calling: parts of a route's signature that prove it before the route runs.

People bring an account's token, or the session cookie of the web page; nodes bring an access token.
With a cookie, calls that change something also need the session's CSRF token: browsers send cookies
wherever a page tells them to.
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ganglion.core.errors import Unauthenticated
from ganglion.entrypoints.hub_api import session
from ganglion.entrypoints.hub_wiring import Hub
from ganglion.ports.hub_store import NodeRow

_ACCOUNT = HTTPBearer(scheme_name="account", description="A person's account token.", auto_error=False)
_NODE = HTTPBearer(scheme_name="node", description="A node's access token.", auto_error=False)
Credentials = HTTPAuthorizationCredentials | None


async def hub_of(request: Request) -> Hub:
    """Return the hub that this application serves."""
    hub: Hub = request.app.state.hub
    return hub


HubPart = Annotated[Hub, Depends(hub_of)]


def account_of(request: Request, hub: HubPart, credentials: Annotated[Credentials, Depends(_ACCOUNT)]) -> str:
    """Return the name of the account that calls. Raises: Unauthenticated, Forbidden."""
    if credentials is not None:
        return hub.accounts.authenticate(credentials.credentials)
    secret = session.secret_of(request)
    name = hub.accounts.authenticate_session(secret)
    session.check_intended(request, secret)
    return name


async def node_token(credentials: Annotated[Credentials, Depends(_NODE)]) -> str:
    """Return a node's access token, unproven. Raises: Unauthenticated: there is none."""
    if credentials is None:
        raise Unauthenticated("this call needs a node's access token in the Authorization header")
    return credentials.credentials


NodeToken = Annotated[str, Depends(node_token)]


def node_of(hub: HubPart, token: NodeToken) -> NodeRow:
    """Return the node that calls. Raises: Unauthenticated."""
    return hub.enrolment.authenticate(token)


def reader_of(
    request: Request,
    hub: HubPart,
    credentials: Annotated[Credentials, Depends(_NODE)],
    _same: Annotated[Credentials, Depends(_ACCOUNT)],
) -> str:
    """Return who reads what nodes and people may both read. Raises: Unauthenticated."""
    if credentials is None:
        return account_of(request, hub, None)
    try:
        return hub.enrolment.authenticate(credentials.credentials).name
    except Unauthenticated:
        return account_of(request, hub, credentials)


Account = Annotated[str, Depends(account_of)]
Node = Annotated[NodeRow, Depends(node_of)]
Reader = Annotated[str, Depends(reader_of)]
