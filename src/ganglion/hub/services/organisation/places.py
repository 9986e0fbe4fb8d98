"""What people declare of the fleet by name: groups of nodes, sites, trust zones.

A declaration is a document with an owner mark: what no person made says what did.
"""

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.fleet import places
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Group, Sight
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import (
    Alternatives,
    ControlStore,
    ControlTransaction,
    DocumentRow,
    NodeQuery,
    NodeRow,
    NodeTerm,
)
from ganglion.wire import codec
from ganglion.wire.fleet_resources import (
    GroupDefinition,
    GroupView,
    SiteDefinition,
    SiteView,
    ZoneDefinition,
    ZoneView,
)

SITE, ZONE = "site", "zone"
MEMBERS_SHOWN_MAX = 1000
DOCUMENTS_MAX = 10_000
_OF_THIS_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
S = TypeVar("S", bound=msgspec.Struct)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A site as it is kept."""

    description: str = ""
    time_zone: str = ""
    bytes_per_s_max: int = 0
    owner: str = ""


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone as it is kept."""

    description: str = ""
    owner: str = ""


class Places:
    """Declares and shows them. Safe to use from many threads."""

    def __init__(self, *, control: ControlStore, clock: Clock, changed: Callable[[Sequence[str]], None]) -> None:
        """`changed` wakes the waiting questions of nodes."""
        self._control, self._clock, self._changed = control, clock, changed

    # --- groups -----------------------------------------------------------------------------------

    def put_group(self, name: str, definition: GroupDefinition, *, actor: str) -> GroupView:
        """Make a group or change it. Raises: InvalidName, InvalidRequest, Conflict: there are too many."""
        with self._control.write() as tx:
            touched = put_group(tx, name, definition, by=Author(self._clock, actor))
            view = _group_view(tx, name, groups.group(tx, name), most=MEMBERS_SHOWN_MAX)
        self._changed(touched)
        return view

    def group(self, name: str, sees: Sight | None = None) -> GroupView:
        """Return a group and its nodes, those that `sees` lets pass. Raises: NotFound."""
        with self._control.read() as tx:
            within = sees(tx) if sees else ()
            return _group_view(tx, name, groups.group(tx, name), most=MEMBERS_SHOWN_MAX, within=within)

    def groups(self, sees: Sight | None = None) -> list[GroupView]:
        """Return every group, by name, and how many nodes are in it of those that `sees` lets pass."""
        with self._control.read() as tx:
            within = sees(tx) if sees else ()
            known = {row.name: codec.decode_json(row.document, Group) for row in tx.documents(groups.KIND)}
            return [_group_view(tx, name, group, most=0, within=within) for name, group in known.items()]

    def remove_group(self, name: str, *, actor: str) -> None:
        """Forget a group; its nodes stay what they are. Raises: NotFound."""
        with self._control.write() as tx:
            touched = remove_group(tx, name, by=Author(self._clock, actor))
        self._changed(touched)

    # --- sites and zones --------------------------------------------------------------------------

    def put_site(self, name: str, definition: SiteDefinition, *, actor: str) -> SiteView:
        """Declare a site, or change what is said of it. Raises: InvalidName, InvalidRequest, Conflict."""
        with self._control.write() as tx:
            touched = put_site(tx, name, definition, by=Author(self._clock, actor))
        self._changed(touched)
        return self.site(name)

    def put_zone(self, name: str, definition: ZoneDefinition, *, actor: str) -> ZoneView:
        """Declare a zone, or change what is said of it. Raises: InvalidName, InvalidRequest, Conflict."""
        with self._control.write() as tx:
            put_zone(tx, name, definition, by=Author(self._clock, actor))
        return next(zone for zone in self.zones() if zone.name == name)

    def site(self, name: str) -> SiteView:
        """Return one site. Raises: NotFound: it is not declared, and no node stands there."""
        found = next((site for site in self.sites() if site.name == name), None)
        if found is None:
            raise NotFound(f"there is no site {name[:80]!r}")
        return found

    def sites(self) -> list[SiteView]:
        """Return every site that is declared or used, by name."""
        with self._control.read() as tx:
            declared, counts = _known(tx, SITE, Site), tx.node_counts()
        here: dict[str, dict[str, int]] = {}
        for site, zone, count in counts:
            here.setdefault(site, {})[zone] = count
        return [_site_view(name, declared.get(name), here.get(name, {})) for name in sorted({*declared, *here})]

    def zones(self) -> list[ZoneView]:
        """Return every zone that is declared or used, by name."""
        with self._control.read() as tx:
            declared, counts = _known(tx, ZONE, Zone), tx.node_counts()
        here = Counter[str]()
        for _, zone, count in counts:
            here[zone] += count
        return [_zone_view(name, declared.get(name), here[name]) for name in sorted({*declared, *here})]

    def remove_site(self, name: str, *, actor: str) -> None:
        """Forget what was said of a site; nodes stand where they stood. Raises: NotFound."""
        with self._control.write() as tx:
            touched = remove_site(tx, name, by=Author(self._clock, actor))
        self._changed(touched)

    def remove_zone(self, name: str, *, actor: str) -> None:
        """Forget what was said of a zone; nodes stay in it. Raises: NotFound."""
        with self._control.write() as tx:
            forget(tx, ZONE, name, by=Author(self._clock, actor))


class Author:
    """Who declares, and which mark stays."""

    def __init__(self, clock: Clock, actor: str, *, owner: str = "") -> None:
        self.clock, self.actor, self.owner = clock, actor, owner


def put_group(tx: ControlTransaction, name: str, definition: GroupDefinition, *, by: Author) -> list[str]:
    """Keep a group; return the ids of its nodes of before and after, who ask anew for what they should be.

    Raises: InvalidName, InvalidRequest, Conflict.
    """
    checked = places.checked_group(name, definition)
    kept = Group(selector=checked.select, nodes=tuple(checked.nodes), description=checked.description, owner=by.owner)
    before = _document(tx, groups.KIND, name, Group)
    if not _keep(tx, groups.KIND, name, kept, by=by):
        return []
    return _renewed(tx, [*(groups.whom(tx, before) if before else []), *groups.whom(tx, kept)])


def remove_group(tx: ControlTransaction, name: str, *, by: Author) -> list[str]:
    """Forget a group; return the ids of nodes whose settings that can change. Raises: NotFound."""
    before = groups.members(tx, name)
    forget(tx, groups.KIND, name, by=by)
    return _renewed(tx, before)


def put_site(tx: ControlTransaction, name: str, definition: SiteDefinition, *, by: Author) -> list[str]:
    """Keep what is said of a site; return the ids of its nodes, whose settings follow its time zone.

    Raises: InvalidName, InvalidRequest, Conflict.
    """
    checked = places.checked_site(name, definition, is_time_zone=is_time_zone)
    if not _keep(tx, SITE, name, msgspec.convert(checked, Site, from_attributes=True), by=by):
        return []
    return _renewed(tx, _nodes_on(tx, name))


def remove_site(tx: ControlTransaction, name: str, *, by: Author) -> list[str]:
    """Forget what was said of a site; return the ids of its nodes. Raises: NotFound."""
    forget(tx, SITE, name, by=by)
    return _renewed(tx, _nodes_on(tx, name))


def put_zone(tx: ControlTransaction, name: str, definition: ZoneDefinition, *, by: Author) -> bool:
    """Keep what is said of a zone; False: it was so before. Raises: InvalidName, InvalidRequest, Conflict."""
    checked = places.checked_zone(name, definition)
    return _keep(tx, ZONE, name, Zone(description=checked.description), by=by)


def forget(tx: ControlTransaction, kind: str, name: str, *, by: Author) -> None:
    """Remove a declaration. Raises: NotFound."""
    if not tx.remove_document(kind, name):
        raise NotFound(f"the {kind} {name[:80]!r} is not declared")
    audit.note(tx, by.clock, Deed(actor=by.actor, action=f"{kind}.removed", subject=name))


def _keep(tx: ControlTransaction, kind: str, name: str, value: msgspec.Struct, *, by: Author) -> bool:
    if by.owner:
        value = msgspec.structs.replace(value, owner=by.owner)
    document = codec.encode_json(value)
    known = tx.document(kind, name)
    if known is not None and known.document == document:
        return False
    if known is None and tx.document_count(kind) >= DOCUMENTS_MAX:
        raise Conflict(f"{DOCUMENTS_MAX} documents of the kind {kind} are declared, which is the limit")
    tx.put_document(DocumentRow(kind, name, document, utc_s(by.clock)))
    facts = {"is": document.decode()}
    audit.note(tx, by.clock, Deed(actor=by.actor, action=f"{kind}.declared", subject=name, facts=facts))
    return True


def _document(tx: ControlTransaction, kind: str, name: str, of: type[S]) -> S | None:
    row = tx.document(kind, name)
    return None if row is None else codec.decode_json(row.document, of)


def _known(tx: ControlTransaction, kind: str, of: type[S]) -> dict[str, S]:
    return {row.name: codec.decode_json(row.document, of) for row in tx.documents(kind)}


def _nodes_on(tx: ControlTransaction, site: str) -> Sequence[NodeRow]:
    return tx.find_nodes(NodeQuery(terms=(NodeTerm("site", (site,)),)))


def _renewed(tx: ControlTransaction, rows: Iterable[NodeRow]) -> list[str]:
    node_ids = sorted({row.node_id for row in rows})
    if node_ids:
        tx.set_revision(node_ids, tx.next_revision())
    return node_ids


def _group_view(
    tx: ControlTransaction, name: str, group: Group, *, most: int, within: tuple[Alternatives, ...] = ()
) -> GroupView:
    count, members = groups.counted(tx, group, most=most, within=within)
    return GroupView(
        name=name,
        select=group.selector,
        nodes=list(group.nodes),
        description=group.description,
        owner=group.owner,
        count=count,
        members=list(members),
    )


def _site_view(name: str, site: Site | None, here: Mapping[str, int]) -> SiteView:
    """`here` counts its nodes by zone."""
    said = site or Site()
    return SiteView(
        name=name,
        description=said.description,
        time_zone=said.time_zone,
        bytes_per_s_max=said.bytes_per_s_max,
        owner=said.owner,
        declared=site is not None,
        nodes=sum(here.values()),
        zones=sorted(here),
    )


def _zone_view(name: str, zone: Zone | None, nodes: int) -> ZoneView:
    said = zone or Zone()
    return ZoneView(
        name=name,
        description=said.description,
        owner=said.owner,
        declared=zone is not None,
        nodes=nodes,
    )


def site_limits(tx: ControlTransaction) -> dict[str, int]:
    """Return the bytes per second that the nodes of a site bring together, of the sites that have a limit."""
    sites = ((row.name, codec.decode_json(row.document, Site)) for row in tx.documents(SITE))
    return {name: site.bytes_per_s_max for name, site in sites if site.bytes_per_s_max > 0}


def is_time_zone(name: str) -> bool:
    """Tell whether this machine knows a time zone of that name, and means by it what every machine does."""
    if name in _OF_THIS_MACHINE:
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
