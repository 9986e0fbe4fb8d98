"""Nodes, and the tokens with which they join."""

from fastapi import APIRouter
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.wire import paths
from ganglion.wire.resources import NodeView, TokenListRequest, TokenReply, TokenRequest

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.post(paths.NODE_TOKENS)
def create_node_token(hub: HubPart, caller: Operator, request: TokenRequest) -> TokenReply:
    """Make a single-use token with which one node joins under the given name."""
    caller.check_site(request.site)
    return hub.enrolment.create_token(request, actor=caller.actor)


@router.post(paths.NODE_TOKEN_LISTS)
def create_node_tokens(hub: HubPart, caller: Operator, request: TokenListRequest) -> list[TokenReply]:
    """Make single-use tokens for many nodes: all of them, or none."""
    for each in request.nodes:
        caller.check_site(each.site)
    return hub.enrolment.create_tokens(request.nodes, actor=caller.actor)


@router.get(paths.NODES)
def list_nodes(hub: HubPart, caller: Viewer) -> list[NodeView]:
    """List every enrolled node."""
    return scopes.visible_nodes(caller, hub.fleet.nodes())


@router.get(paths.NODES + "/{name}")
def show_node(hub: HubPart, caller: Viewer, name: str) -> NodeView:
    """Show one node."""
    node = hub.fleet.node(parse_name(name, what="node"))
    caller.check_site(node.site)
    return node


@router.post(paths.NODES + "/{name}/revoke", status_code=204)
def revoke_node(hub: HubPart, caller: Operator, name: str) -> Response:
    """Refuse everything this node says from now on."""
    scopes.check_node(hub, caller, name)
    hub.enrolment.revoke(parse_name(name, what="node"), actor=caller.actor)
    # Its waiting question must not outlive the permission to ask.
    hub.waiters.wake([hub.fleet.node(name).node_id])
    return Response(status_code=204)


@router.post(paths.NODES + "/{name}/retire", status_code=204)
def retire_node(hub: HubPart, caller: Operator, name: str) -> Response:
    """Take a node out of service: it is refused from its next request on."""
    scopes.check_node(hub, caller, name)
    hub.standings.retire(parse_name(name, what="node"), actor=caller.actor)
    return Response(status_code=204)


@router.post(paths.NODES + "/{name}/admit", status_code=204)
def admit_node(hub: HubPart, caller: Operator, name: str) -> Response:
    """Let a node in quarantine in again; it comes back by itself."""
    scopes.check_node(hub, caller, name)
    hub.standings.admit(parse_name(name, what="node"), actor=caller.actor)
    return Response(status_code=204)


@router.post(paths.NODES + "/{name}/rekey", status_code=204)
def rekey_node(hub: HubPart, caller: Operator, name: str) -> Response:
    """Ask a node for a new key; it makes one at its next contact."""
    scopes.check_node(hub, caller, name)
    hub.standings.ask_rekey(parse_name(name, what="node"), actor=caller.actor)
    return Response(status_code=204)
