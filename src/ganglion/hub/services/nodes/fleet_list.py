"""The fleet as a list that people keep: out of the hub, and into it again. It never holds what proves anything.

Where a node stands is part of its identity, and is not changed by a list; its labels are.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from ganglion.core.errors import Conflict, InvalidRequest, TooLarge
from ganglion.core.ids import parse_name
from ganglion.hub.domain.fleet.places import checked_group, checked_site, checked_zone
from ganglion.hub.domain.nodes.lifecycle import standing_of
from ganglion.hub.services.identity import node_acts
from ganglion.hub.services.identity.node_acts import By, Decided
from ganglion.hub.services.nodes.fleet import found
from ganglion.hub.services.organisation import groups, places
from ganglion.hub.services.organisation.groups import Group, Sight
from ganglion.hub.services.organisation.places import SITE, ZONE, Author, Site, Zone
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeQuery, NodeRow
from ganglion.wire import codec
from ganglion.wire.fleet_resources import (
    FleetImport,
    FleetImportReply,
    FleetList,
    FleetNode,
    GroupDefinition,
    SiteDefinition,
    ZoneDefinition,
)

NODES_MAX = 10_000
"""Nodes in one list that is taken in."""
_SHOWN_MAX = 5


class FleetLists:
    """Writes and reads the list. Safe to use from many threads."""

    def __init__(self, *, control: ControlStore, clock: Clock, changed: Callable[[Sequence[str]], None]) -> None:
        """`changed` wakes the waiting questions of nodes."""
        self._control, self._clock, self._changed = control, clock, changed

    def export(self, query: NodeQuery, sees: Sight | None) -> FleetList:
        """Return the nodes of a page of the fleet; with the first page everything that is declared."""
        with self._control.read() as tx:
            nodes = [_node(row) for row in found(tx, query, sees)]
            if query.after or sees:
                return FleetList(nodes=nodes)
            return FleetList(nodes=nodes, sites=_sites(tx), zones=_zones(tx), groups=_groups(tx))

    def take(self, request: FleetImport, *, actor: str) -> FleetImportReply:
        """Take over labels and declarations, all or none; what the list leaves out stays as it is.

        Raises: InvalidName, InvalidRequest: a node stands elsewhere than the list says, TooLarge, Conflict.
        """
        fleet = request.fleet
        if len(fleet.nodes) > NODES_MAX:
            raise TooLarge(f"{len(fleet.nodes)} nodes in one list, at most {NODES_MAX} are taken in")
        _check_once(fleet)
        if request.dry_run:
            with self._control.read() as tx:
                decided, unknown = self._decided(tx, fleet)
                return _reply(request, decided, unknown, _differing(tx, fleet))
        by, author, touched = By(self._clock, actor, "list"), Author(self._clock, actor), list[str]()
        with self._control.write() as tx:
            decided, unknown = self._decided(tx, fleet)
            declared = _differing(tx, fleet)
            for each in decided:
                node_acts.carry_out(tx, each, by)
            touched += _declare(tx, fleet, set(declared), by=author)
        self._changed([*touched, *(each.row.node_id for each in decided)])
        return _reply(request, decided, unknown, declared)

    def _decided(self, tx: ControlTransaction, fleet: FleetList) -> tuple[list[Decided], list[str]]:
        decided, unknown, elsewhere = list[Decided](), list[str](), list[str]()
        for node in fleet.nodes:
            row = tx.node_by_name(parse_name(node.name, what="node"))
            if row is None:
                unknown.append(node.name)
            elif (row.site, row.zone) != (node.site, node.zone):
                elsewhere.append(f"{node.name} ({row.site}, {row.zone})")
            elif each := _relabelled(row, node, utc_s(self._clock)):
                decided.append(each)
        if elsewhere:
            shown = ", ".join(elsewhere[:_SHOWN_MAX])
            raise InvalidRequest(f"{len(elsewhere)} nodes stand elsewhere than the list says: {shown}")
        return decided, unknown


def _check_once(fleet: FleetList) -> None:
    """Raises: InvalidRequest: a node stands there twice, and nobody could say which line holds."""
    name, times = next(iter(Counter(node.name for node in fleet.nodes).most_common(1)), ("", 0))
    if times > 1:
        raise InvalidRequest(f"the node {name[:80]!r} stands in the list {times} times")


def _relabelled(row: NodeRow, node: FleetNode, now_s: float) -> Decided | None:
    """Return the row with exactly the labels of the list. Raises: Conflict, InvalidRequest."""
    before = codec.decode_json(row.labels, dict[str, str])
    change: dict[str, str | None] = {**dict.fromkeys(before), **node.labels}
    try:
        return node_acts.label(change)(row, now_s)
    except Conflict:
        # Nodes that are out of service stay in lists, and nobody labels them.
        return None


def _declare(tx: ControlTransaction, fleet: FleetList, differing: Collection[str], *, by: Author) -> list[str]:
    """Keep what differs, and leave the mark of its owner on what does not."""
    touched: list[str] = []
    for name, site in fleet.sites.items():
        if f"{SITE} {name}" in differing:
            touched += places.put_site(tx, name, site, by=by)
    for name, zone in fleet.zones.items():
        if f"{ZONE} {name}" in differing:
            places.put_zone(tx, name, zone, by=by)
    for name, group in fleet.groups.items():
        if f"{groups.KIND} {name}" in differing:
            touched += places.put_group(tx, name, group, by=by)
    return touched


def _differing(tx: ControlTransaction, fleet: FleetList) -> list[str]:
    """Raises: InvalidName, InvalidRequest: one that cannot be kept."""
    sites, zones, known = _sites(tx), _zones(tx), _groups(tx)
    return [
        *(
            f"{SITE} {name}"
            for name, site in fleet.sites.items()
            if sites.get(name) != checked_site(name, site, is_time_zone=places.is_time_zone)
        ),
        *(f"{ZONE} {name}" for name, zone in fleet.zones.items() if zones.get(name) != checked_zone(name, zone)),
        *(
            f"{groups.KIND} {name}"
            for name, group in fleet.groups.items()
            if known.get(name) != checked_group(name, group)
        ),
    ]


def _reply(
    request: FleetImport, decided: Sequence[Decided], unknown: Sequence[str], declared: Sequence[str]
) -> FleetImportReply:
    return FleetImportReply(
        dry_run=request.dry_run,
        labelled=[each.row.name for each in decided],
        declared=list(declared),
        unknown=list(unknown),
    )


def _node(row: NodeRow) -> FleetNode:
    return FleetNode(
        name=row.name,
        site=row.site,
        zone=row.zone,
        labels=codec.decode_json(row.labels, dict[str, str]),
        state=standing_of(row).value,
        node_class=row.node_class,
    )


def _sites(tx: ControlTransaction) -> dict[str, SiteDefinition]:
    known = {row.name: codec.decode_json(row.document, Site) for row in tx.documents(SITE)}
    return {
        name: SiteDefinition(
            description=site.description, time_zone=site.time_zone, bytes_per_s_max=site.bytes_per_s_max
        )
        for name, site in known.items()
    }


def _zones(tx: ControlTransaction) -> dict[str, ZoneDefinition]:
    known = {row.name: codec.decode_json(row.document, Zone) for row in tx.documents(ZONE)}
    return {name: ZoneDefinition(description=zone.description) for name, zone in known.items()}


def _groups(tx: ControlTransaction) -> dict[str, GroupDefinition]:
    known = {row.name: codec.decode_json(row.document, Group) for row in tx.documents(groups.KIND)}
    return {
        name: GroupDefinition(select=group.selector, nodes=list(group.nodes), description=group.description)
        for name, group in known.items()
    }
