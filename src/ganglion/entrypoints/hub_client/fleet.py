"""What a hub is asked about nodes, many or one, and about the groups, sites and zones that people declare."""

from collections.abc import Iterator, Mapping, Sequence

from ganglion.core.ids import parse_name
from ganglion.entrypoints.hub_client.connection import HubConnection, Query
from ganglion.wire import paths
from ganglion.wire.apply_resources import ApplyReply, ApplyRequest, RolloutPolicyView
from ganglion.wire.fleet_resources import (
    FleetImport,
    FleetImportReply,
    FleetList,
    GroupDefinition,
    GroupView,
    NodeActionReply,
    NodeActionRequest,
    SiteDefinition,
    SiteView,
    ZoneDefinition,
    ZoneView,
)
from ganglion.wire.resources import NodeView, TokenListRequest, TokenReply, TokenRequest

_PAGE = 500


class FleetCalls:
    """One method per route, over a line that the class that mixes this in opens."""

    _hub: HubConnection

    def create_node_token(self, request: TokenRequest) -> TokenReply:
        """Make a single-use token with which one node joins."""
        return self._hub.post(paths.NODE_TOKENS, request, TokenReply)

    def create_node_tokens(self, requests: Sequence[TokenRequest]) -> list[TokenReply]:
        """Make single-use tokens for many nodes: all of them, or none."""
        return self._hub.post(paths.NODE_TOKEN_LISTS, TokenListRequest(list(requests)), list[TokenReply])

    def nodes(self, *, select: str = "", states: str = "", group: str = "", limit: int | None = None) -> list[NodeView]:
        """List enrolled nodes by name: those that a selector means, in one of the states, of a group."""
        found: list[NodeView] = []
        for page in self._node_pages({"select": select, "state": states, "group": group}):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def node(self, name: str) -> NodeView:
        """Return one node."""
        return self._hub.get(paths.node(parse_name(name, what="node")), NodeView)

    def groups_of_node(self, name: str) -> list[str]:
        """Return the groups that a node belongs to."""
        return self._hub.get(paths.node(parse_name(name, what="node"), "groups"), list[str])

    def revoke_node(self, name: str) -> None:
        """Refuse everything this node says from now on."""
        self.act_on_node(name, "revoke")

    def act_on_node(self, name: str, action: str) -> None:
        """Let the hub carry out what people decide about a node: revoke, retire, admit, rekey."""
        self._hub.post(paths.node(parse_name(name, what="node"), action), {}, type(None))

    def act_on_nodes(self, request: NodeActionRequest) -> NodeActionReply:
        """Do the same to many nodes, or only ask what would be done."""
        return self._hub.post(paths.NODE_ACTIONS, request, NodeActionReply)

    def export_fleet(self) -> FleetList:
        """Return the fleet as a list that people keep."""
        whole = self._hub.get(paths.FLEET, FleetList, {"limit": _PAGE})
        page = whole
        while len(page.nodes) == _PAGE:
            page = self._hub.get(paths.FLEET, FleetList, {"after": page.nodes[-1].name, "limit": _PAGE})
            whole.nodes.extend(page.nodes)
        return whole

    def import_fleet(self, fleet: FleetList, *, dry_run: bool = False) -> FleetImportReply:
        """Take over what such a list says."""
        return self._hub.post(paths.FLEET, FleetImport(fleet=fleet, dry_run=dry_run), FleetImportReply)

    def plan_fleet(self, request: ApplyRequest) -> ApplyReply:
        """Ask what it would take to make the fleet what resources say."""
        return self._hub.post(f"{paths.APPLY}?dry_run=true", request, ApplyReply)

    def apply_fleet(self, request: ApplyRequest) -> ApplyReply:
        """Make the fleet what resources say."""
        return self._hub.post(paths.APPLY, request, ApplyReply)

    def rollout_policies(self) -> list[RolloutPolicyView]:
        """List named defaults of rollouts."""
        return self._hub.get(paths.ROLLOUT_POLICIES, list[RolloutPolicyView])

    def groups(self) -> list[GroupView]:
        """List groups, by name."""
        return self._hub.get(paths.GROUPS, list[GroupView])

    def group(self, name: str) -> GroupView:
        """Return a group and who is in it."""
        return self._hub.get(paths.declared(paths.GROUPS, parse_name(name, what="group")), GroupView)

    def put_group(self, name: str, group: GroupDefinition) -> GroupView:
        """Make a group, or change it."""
        return self._hub.post(paths.declared(paths.GROUPS, parse_name(name, what="group")), group, GroupView)

    def remove_group(self, name: str) -> None:
        """Forget a group."""
        self._remove(paths.GROUPS, parse_name(name, what="group"))

    def sites(self) -> list[SiteView]:
        """List sites, by name."""
        return self._hub.get(paths.SITES, list[SiteView])

    def put_site(self, name: str, site: SiteDefinition) -> SiteView:
        """Declare a site, or change what is said of it."""
        return self._hub.post(paths.declared(paths.SITES, parse_name(name, what="site")), site, SiteView)

    def remove_site(self, name: str) -> None:
        """Forget what was said of a site."""
        self._remove(paths.SITES, parse_name(name, what="site"))

    def zones(self) -> list[ZoneView]:
        """List trust zones, by name."""
        return self._hub.get(paths.ZONES, list[ZoneView])

    def put_zone(self, name: str, zone: ZoneDefinition) -> ZoneView:
        """Declare a trust zone, or change what is said of it."""
        return self._hub.post(paths.declared(paths.ZONES, parse_name(name, what="zone")), zone, ZoneView)

    def remove_zone(self, name: str) -> None:
        """Forget what was said of a zone."""
        self._remove(paths.ZONES, parse_name(name, what="zone"))

    def _remove(self, where: str, name: str) -> None:
        self._hub.post(paths.declared(where, name, "remove"), {}, type(None))

    def _node_pages(self, wanted: Mapping[str, str]) -> Iterator[list[NodeView]]:
        after = ""
        while True:
            given = {name: text or None for name, text in {**wanted, "after": after}.items()}
            query: Query = {**given, "limit": _PAGE}
            page = self._hub.get(paths.NODES, list[NodeView], query)
            yield page
            if len(page) < _PAGE:
                return
            after = page[-1].name
