"""Nodes, the tokens with which they join, and what is done to one of them or to many."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.entrypoints.hub_api.limits import bounded
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.node_search import node_query
from ganglion.wire import paths
from ganglion.wire.fleet_resources import (
    FleetImport,
    FleetImportReply,
    FleetList,
    NodeActionReply,
    NodeActionRequest,
)
from ganglion.wire.resources import NodeView, TokenListRequest, TokenReply, TokenRequest

router = APIRouter(tags=["fleet"], route_class=StrictRoute)
Text = Annotated[str, Query(max_length=2000)]
Page = Annotated[int | None, Query(ge=1)]


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
def list_nodes(
    hub: HubPart,
    caller: Viewer,
    *,
    select: Text = "",
    state: Text = "",
    group: Text = "",
    after: Text = "",
    limit: Page = None,
) -> list[NodeView]:
    """List enrolled nodes by name, beginning after the name given; `state` names one or several, with commas.

    Without a limit, as many as the hub gives at once. A page with fewer is the last.
    """
    rows_max = hub.settings.http.rows_max
    query = node_query(select=select, states=state, after=after, limit=bounded(limit or rows_max, rows_max))
    return hub.fleet.page(query, scopes.sight_of(caller, group=group))


@router.get(paths.NODES + "/{name}")
def show_node(hub: HubPart, caller: Viewer, name: str) -> NodeView:
    """Show one node."""
    scopes.check_node(hub, caller, parse_name(name, what="node"))
    return hub.fleet.node(name)


@router.get(paths.NODES + "/{name}/groups")
def groups_of_node(hub: HubPart, caller: Viewer, name: str) -> list[str]:
    """List the groups that a node belongs to, by name."""
    scopes.check_node(hub, caller, parse_name(name, what="node"))
    with hub.world.control.read() as tx:
        row = tx.node_by_name(name)
        return groups.groups_of(tx, row) if row else []


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


@router.post(paths.NODE_ACTIONS)
def act_on_nodes(hub: HubPart, caller: Operator, request: NodeActionRequest) -> NodeActionReply:
    """Do the same to many nodes in one step; a dry run tells what would be done."""
    for name in request.nodes:
        scopes.check_node(hub, caller, parse_name(name, what="node"))
    sees = scopes.sight_of(caller)
    return hub.organisation.actions.act(request, actor=caller.actor, role=caller.role.value, sees=sees)


@router.get(paths.FLEET)
def export_fleet(hub: HubPart, caller: Viewer, *, after: Text = "", limit: Page = None) -> FleetList:
    """Give the fleet as a list that people keep, without secrets; its first page has what is declared too."""
    rows_max = hub.settings.http.rows_max
    query = node_query(after=after, limit=bounded(limit or rows_max, rows_max))
    return hub.organisation.lists.export(query, scopes.sight_of(caller))


@router.post(paths.FLEET)
def import_fleet(hub: HubPart, caller: Operator, request: FleetImport) -> FleetImportReply:
    """Take over labels of enrolled nodes, and sites, zones and groups, from such a list: all or nothing."""
    caller.check_whole_fleet()
    return hub.organisation.lists.take(request, actor=caller.actor)
