"""What people declare of a fleet: groups of nodes, sites, trust zones."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Operator, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.trust.roles import Caller
from ganglion.wire import paths
from ganglion.wire.fleet_resources import (
    GroupDefinition,
    GroupView,
    SiteDefinition,
    SiteView,
    ZoneDefinition,
    ZoneView,
)

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.get(paths.GROUPS)
def list_groups(hub: HubPart, caller: Viewer) -> list[GroupView]:
    """List groups by name with their sizes. A role for some nodes sees the groups of these, without the others."""
    views = [_narrowed(caller, group) for group in hub.organisation.places.groups(scopes.sight_of(caller))]
    return [view for view in views if view.count or not caller.scope.sites]


@router.get(paths.GROUPS + "/{name}")
def show_group(hub: HubPart, caller: Viewer, name: str) -> GroupView:
    """Show a group and who is in it."""
    checked = parse_name(name, what="group")
    return _narrowed(caller, hub.organisation.places.group(checked, scopes.sight_of(caller)))


@router.post(paths.GROUPS + "/{name}")
def put_group(hub: HubPart, caller: Operator, name: str, request: GroupDefinition) -> GroupView:
    """Make a group, or change it. Roles, settings and rollouts that name it hold for its new nodes at once."""
    caller.check_whole_fleet()
    return hub.organisation.places.put_group(name, request, actor=caller.actor)


@router.post(paths.GROUPS + "/{name}/remove", status_code=204)
def remove_group(hub: HubPart, caller: Operator, name: str) -> Response:
    """Forget a group. Its nodes stay what they are; a role for it is a role for nobody."""
    caller.check_whole_fleet()
    hub.organisation.places.remove_group(parse_name(name, what="group"), actor=caller.actor)
    return Response(status_code=204)


@router.get(paths.SITES)
def list_sites(hub: HubPart, caller: Viewer) -> list[SiteView]:
    """List the sites that are declared, or on which nodes stand."""
    return [site for site in hub.organisation.places.sites() if caller.scope.has_site(site.name)]


@router.post(paths.SITES + "/{site}")
def put_site(hub: HubPart, caller: Operator, site: str, request: SiteDefinition) -> SiteView:
    """Declare a site, or change what is said of it."""
    caller.check_site(parse_name(site, what="site"))
    return hub.organisation.places.put_site(site, request, actor=caller.actor)


@router.post(paths.SITES + "/{site}/remove", status_code=204)
def remove_site(hub: HubPart, caller: Operator, site: str) -> Response:
    """Forget what was said of a site; nodes stand where they stood."""
    caller.check_site(parse_name(site, what="site"))
    hub.organisation.places.remove_site(site, actor=caller.actor)
    return Response(status_code=204)


@router.get(paths.ZONES)
def list_zones(hub: HubPart, caller: Viewer) -> list[ZoneView]:
    """List the trust zones that are declared, or in which nodes stand."""
    caller.check_whole_fleet()
    return hub.organisation.places.zones()


@router.post(paths.ZONES + "/{name}")
def put_zone(hub: HubPart, caller: Operator, name: str, request: ZoneDefinition) -> ZoneView:
    """Declare a trust zone, or change what is said of it."""
    caller.check_whole_fleet()
    return hub.organisation.places.put_zone(parse_name(name, what="zone"), request, actor=caller.actor)


@router.post(paths.ZONES + "/{name}/remove", status_code=204)
def remove_zone(hub: HubPart, caller: Operator, name: str) -> Response:
    """Forget what was said of a zone; nodes stay in it."""
    caller.check_whole_fleet()
    hub.organisation.places.remove_zone(parse_name(name, what="zone"), actor=caller.actor)
    return Response(status_code=204)


def _narrowed(caller: Caller, view: GroupView) -> GroupView:
    """Return a group as a role for some nodes sees it: who else is meant is not told."""
    return view if caller.scope.has_group(view.name) else replace(view, nodes=[], select=None)
