"""Nodes, the tokens with which they join, and the accounts of people."""

from fastapi import APIRouter
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api.access import Account, HubPart
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.wire import paths
from ganglion.wire.resources import AccountReply, AccountRequest, NodeView, TokenReply, TokenRequest

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.post(paths.NODE_TOKENS)
def create_node_token(hub: HubPart, _account: Account, request: TokenRequest) -> TokenReply:
    """Make a single-use token with which one node joins under the given name."""
    return hub.enrolment.create_token(request)


@router.get(paths.NODES)
def list_nodes(hub: HubPart, _account: Account) -> list[NodeView]:
    """List every enrolled node."""
    return hub.fleet.nodes()


@router.get(paths.NODES + "/{name}")
def show_node(hub: HubPart, _account: Account, name: str) -> NodeView:
    """Show one node."""
    return hub.fleet.node(parse_name(name, what="node"))


@router.post(paths.NODES + "/{name}/revoke", status_code=204)
def revoke_node(hub: HubPart, _account: Account, name: str) -> Response:
    """Refuse everything this node says from now on."""
    hub.enrolment.revoke(parse_name(name, what="node"))
    # Its waiting question must not outlive the permission to ask.
    hub.waiters.wake([hub.fleet.node(name).node_id])
    return Response(status_code=204)


@router.post(paths.ACCOUNTS, status_code=201)
def create_account(hub: HubPart, _account: Account, request: AccountRequest) -> AccountReply:
    """Make an account for a person or a program."""
    return AccountReply(hub.accounts.create(parse_name(request.name, what="account")))
