"""What nodes are told beside models: settings of the fleet, a site or a node, and commands."""

from fastapi import APIRouter

from ganglion.core.identity_errors import Forbidden
from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.trust.roles import Caller
from ganglion.wire import paths
from ganglion.wire.node_resources import (
    CommandOutcome,
    CommandRequest,
    CommandView,
    NodeSettingsView,
    SettingsChange,
    SettingsDocument,
)

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.get(paths.NODES + "/{name}/settings")
def node_settings(hub: HubPart, caller: Viewer, name: str) -> NodeSettingsView:
    """Show every setting of a node, and who chose it."""
    return hub.node_settings.explain(_seen(hub, caller, name))


@router.post(paths.SETTINGS + "/fleet")
def change_fleet_settings(hub: HubPart, caller: Operator, request: SettingsChange) -> SettingsDocument:
    """Change what holds for every node that nothing narrower speaks of."""
    if caller.scope.sites:
        raise Forbidden("this changes every site, and your role is for some")
    return hub.node_settings.change_fleet(request, actor=caller.actor)


@router.post(paths.SETTINGS + "/groups/{group}")
def change_group_settings(hub: HubPart, caller: Operator, group: str, request: SettingsChange) -> SettingsDocument:
    """Change what holds for the nodes of a group."""
    caller.check_group(parse_name(group, what="group"))
    return hub.node_settings.change_group(group, request, actor=caller.actor)


@router.post(paths.SETTINGS + "/sites/{site}")
def change_site_settings(hub: HubPart, caller: Operator, site: str, request: SettingsChange) -> SettingsDocument:
    """Change what holds for the nodes of a site."""
    caller.check_site(parse_name(site, what="site"))
    return hub.node_settings.change_site(site, request, actor=caller.actor)


@router.post(paths.SETTINGS + "/nodes/{name}")
def change_node_settings(hub: HubPart, caller: Operator, name: str, request: SettingsChange) -> SettingsDocument:
    """Change what holds for one node."""
    return hub.node_settings.change_node(_seen(hub, caller, name), request, actor=caller.actor)


@router.get(paths.NODES + "/{name}/commands")
def list_commands(hub: HubPart, caller: Viewer, name: str) -> list[CommandView]:
    """List what a node was asked to do lately, newest first, and what came of it."""
    return hub.node_settings.commands(_seen(hub, caller, name))


@router.post(paths.NODES + "/{name}/commands", status_code=201)
def command_node(hub: HubPart, caller: Operator, name: str, request: CommandRequest) -> CommandView:
    """Ask a node to do something once: what every node can, or an action that the envelope names."""
    name = _seen(hub, caller, name)
    return hub.node_settings.command(name, request, actor=caller.actor, role=caller.role.value)


@router.get(paths.NODES + "/{name}/commands/{command_id}")
def show_command(hub: HubPart, caller: Operator, name: str, command_id: str) -> CommandOutcome:
    """Show what came of a command, with the output of an action, which may tell much of a machine."""
    return hub.orders.outcome(_seen(hub, caller, name), command_id)


def _seen(hub: HubPart, caller: Caller, name: str) -> str:
    """Return the name of a node that the caller may see. Raises: NotFound, Forbidden, InvalidName."""
    scopes.check_node(hub, caller, parse_name(name, what="node"))
    return name
