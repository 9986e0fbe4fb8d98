"""What files declared, as it stands in the database: read for a plan, written by it, removed by it."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.declared.fleet_plan import OWNER, Key, Present
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import (
    KINDS,
    AlertSpec,
    AssignmentSpec,
    Claims,
    GroupSpec,
    RolloutPolicySpec,
    SettingsSpec,
    SiteSpec,
    ZoneSpec,
    claims_of,
    place_of,
    tree_of,
)
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.hub.services.nodes.node_settings import change_layer, layer_of
from ganglion.hub.services.organisation import groups, places
from ganglion.hub.services.organisation.groups import Group
from ganglion.hub.services.organisation.places import SITE, ZONE, Author, Site, Zone
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import ControlTransaction, DocumentRow
from ganglion.wire import codec
from ganglion.wire.apply_resources import ApplyProblem
from ganglion.wire.fleet_resources import GroupDefinition, SiteDefinition, ZoneDefinition

POLICY, ASSIGNMENT, SETTINGS, ALERT = "rollout-policy", "assignment", "settings", "alert"
_STORED = {"RolloutPolicy": POLICY, "Assignment": ASSIGNMENT, "Settings": SETTINGS, "Alert": ALERT}
"""Kinds that are kept as they were written."""
_TIME_ZONE = "agent.time_zone"
ALERTS_MAX = 200
"""Each is looked at once a minute."""
K = TypeVar("K", bound=msgspec.Struct)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A resource as it is kept."""

    spec: msgspec.Raw
    owner: str = OWNER


def present(tx: ControlTransaction, declared: Sequence[Declared]) -> dict[Key, Present]:
    """Return what is there of every kind that can be declared, in the order in which it is applied."""
    found: dict[Key, Present] = {}
    for site, each in _documents(tx, SITE, Site).items():
        spec = SiteSpec(description=each.description, time_zone=each.time_zone, bytes_per_s_max=each.bytes_per_s_max)
        found["Site", site] = Present(tree_of(spec), each.owner)
    for zone, said in _documents(tx, ZONE, Zone).items():
        found["Zone", zone] = Present(tree_of(ZoneSpec(description=said.description)), said.owner)
    for name, group in _documents(tx, groups.KIND, Group).items():
        meant = GroupSpec(select=group.selector, nodes=group.nodes, description=group.description)
        found["Group", name] = Present(tree_of(meant), group.owner)
    wanted = {each.name: each.spec for each in declared if isinstance(each.spec, SettingsSpec)}
    for kind, stored in _STORED.items():
        for name, kept in _documents(tx, stored, Kept).items():
            tree = tree_of(msgspec.json.decode(kept.spec, type=KINDS[kind]))
            found[kind, name] = Present(tree, kept.owner)
    for key in [key for key in found if key[0] == "Settings"]:
        found[key] = Present(_as_set(tx, found[key].tree, wanted.get(key[1])), found[key].owner)
    order = list(KINDS)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])))


def unfit(tx: ControlTransaction, declared: Sequence[Declared]) -> list[ApplyProblem]:
    """Return the problems that only the hub can see: versions that were not released, nodes that are not."""
    problems = []
    for each in declared:
        match each.spec:
            case AssignmentSpec(model=model, version=version) if not tx.releases(model, version):
                problems.append(_problem(each, "spec.version", f"{model}:{version} was not released"))
            case SettingsSpec() if place_of(each.spec)[0] == "node" and not tx.node_by_name(place_of(each.spec)[1]):
                problems.append(_problem(each, "spec.scope", f"no node is named {place_of(each.spec)[1]}"))
            case SiteSpec(time_zone=zone) if zone and not places.is_time_zone(zone):
                problems.append(_problem(each, "spec.time_zone", f"{zone[:80]!r} is no time zone"))
            case SettingsSpec(settings=settings) if not _has_time_zone(settings):
                problems.append(_problem(each, f"spec.settings.{_TIME_ZONE}", "this is no time zone"))
            case _:
                pass
    return [*problems, *_contested(declared)]


def put(tx: ControlTransaction, declared: Declared, *, by: Author, claims: Claims = frozenset()) -> list[str]:
    """Keep a resource; return the ids of the nodes that it reaches. `claims`: what settings stay set, whoever goes.

    Raises: Conflict: there are too many.
    """
    match declared.spec:
        case GroupSpec() as spec:
            group = GroupDefinition(select=spec.select, nodes=list(spec.nodes), description=spec.description)
            return places.put_group(tx, declared.name, group, by=by)
        case SiteSpec() as spec:
            site = SiteDefinition(
                description=spec.description, time_zone=spec.time_zone, bytes_per_s_max=spec.bytes_per_s_max
            )
            return places.put_site(tx, declared.name, site, by=by)
        case ZoneSpec() as spec:
            places.put_zone(tx, declared.name, ZoneDefinition(description=spec.description), by=by)
        case SettingsSpec() as spec:
            former = _kept(tx, SETTINGS, declared.name, SettingsSpec)
            reached = _unset(tx, former, claims | claims_of([spec])) if former else []
            put_values = {key: msgspec.Raw(str(text).encode()) for key, text in spec.settings.items()}
            _, renewed = change_layer(tx, *place_of(spec), put=put_values, drop=())
            _keep(tx, declared, by=by)
            return [*reached, *renewed]
        case _:
            _check_room(tx, declared)
            _keep(tx, declared, by=by)
    return []


def remove(tx: ControlTransaction, kind: str, name: str, *, by: Author, claims: Claims = frozenset()) -> list[str]:
    """Forget a resource; return the ids of the nodes that it reached. What was assigned stays on the nodes."""
    if kind == "Group":
        return places.remove_group(tx, name, by=by)
    if kind == "Site":
        return places.remove_site(tx, name, by=by)
    if kind == "Zone":
        places.forget(tx, ZONE, name, by=by)
        return []
    former = _kept(tx, SETTINGS, name, SettingsSpec) if kind == "Settings" else None
    tx.remove_document(_STORED[kind], name)
    audit.note(tx, by.clock, Deed(actor=by.actor, action=f"{_STORED[kind]}.removed", subject=name))
    return _unset(tx, former, claims) if former else []


def restored(kind: str, name: str, there: Present) -> Declared:
    """Return a resource that is there as it would be declared."""
    return Declared(kind, name, msgspec.convert(there.tree, KINDS[kind]))


def policy(tx: ControlTransaction, name: str) -> RolloutPolicySpec:
    """Return a policy of rollouts. Raises: NotFound."""
    found = _kept(tx, POLICY, name, RolloutPolicySpec)
    if found is None:
        raise NotFound(f"there is no policy of rollouts {name[:80]!r}")
    return found


def policies(tx: ControlTransaction) -> dict[str, tuple[RolloutPolicySpec, str]]:
    """Return the policies of rollouts by name, each with its owner."""
    kept = _documents(tx, POLICY, Kept)
    return {name: (msgspec.json.decode(each.spec, type=RolloutPolicySpec), each.owner) for name, each in kept.items()}


def alerts(tx: ControlTransaction) -> dict[str, tuple[AlertSpec, str]]:
    """Return the alerts by name, each with its owner."""
    kept = _documents(tx, ALERT, Kept)
    return {name: (msgspec.json.decode(each.spec, type=AlertSpec), each.owner) for name, each in kept.items()}


def _as_set(tx: ControlTransaction, tree: Mapping[str, object], wanted: SettingsSpec | None) -> dict[str, object]:
    """Return kept settings with the values that hold today: somebody may have changed them by hand."""
    spec = msgspec.convert(tree, SettingsSpec)
    try:
        layer = layer_of(tx, *place_of(spec))
    except NotFound:
        layer = {}
    keys = {*spec.settings, *(wanted.settings if wanted and wanted.scope == spec.scope else ())}
    values = {key: bytes(layer[key]).decode() for key in sorted(keys) if key in layer}
    return {**tree, "settings": values}


def _has_time_zone(settings: Mapping[str, object]) -> bool:
    zone = msgspec.json.decode(str(settings.get(_TIME_ZONE, '""')).encode(), type=str)
    return not zone or places.is_time_zone(zone)


def _unset(tx: ControlTransaction, former: SettingsSpec, claims: Claims) -> list[str]:
    """Leave to the wider scope what nobody declares any more: a value may have moved to another resource."""
    drop = [key for key in former.settings if (former.scope, key) not in claims]
    try:
        _, reached = change_layer(tx, *place_of(former), put={}, drop=drop)
    except NotFound:
        return []
    return reached


def _contested(declared: Sequence[Declared]) -> list[ApplyProblem]:
    """Return a problem for each setting of one place that two resources declare: nobody could say which holds."""
    first: dict[tuple[str, str], str] = {}
    problems = []
    for each in declared:
        if isinstance(each.spec, SettingsSpec):
            for key in each.spec.settings:
                other = first.setdefault((each.spec.scope, key), each.name)
                if other != each.name:
                    problems.append(_problem(each, f"spec.settings.{key}", f"the Settings {other} declare it too"))
    return problems


def _check_room(tx: ControlTransaction, declared: Declared) -> None:
    if (
        declared.kind == "Alert"
        and tx.document(ALERT, declared.name) is None
        and len(tx.documents(ALERT)) >= ALERTS_MAX
    ):
        raise Conflict(f"there are {ALERTS_MAX} alerts, which is as many as a hub looks at")


def _keep(tx: ControlTransaction, declared: Declared, *, by: Author) -> None:
    kind, spec = _STORED[declared.kind], msgspec.json.encode(declared.spec)
    document = codec.encode_json(Kept(spec=msgspec.Raw(spec), owner=by.owner))
    known = tx.document(kind, declared.name)
    if known is not None and known.document == document:
        return
    if known is None and tx.document_count(kind) >= places.DOCUMENTS_MAX:
        raise Conflict(f"{places.DOCUMENTS_MAX} of the kind {declared.kind} are declared, which is the limit")
    tx.put_document(DocumentRow(kind, declared.name, document, utc_s(by.clock)))
    deed = Deed(actor=by.actor, action=f"{kind}.declared", subject=declared.name, facts={"is": spec.decode()})
    audit.note(tx, by.clock, deed)


def _kept(tx: ControlTransaction, kind: str, name: str, of: type[K]) -> K | None:
    row = tx.document(kind, name)
    return None if row is None else msgspec.json.decode(codec.decode_json(row.document, Kept).spec, type=of)


def _documents(tx: ControlTransaction, kind: str, of: type[K]) -> dict[str, K]:
    return {row.name: codec.decode_json(row.document, of) for row in tx.documents(kind)}


def _problem(declared: Declared, path: str, reason: str) -> ApplyProblem:
    return ApplyProblem(source=declared.source, kind=declared.kind, name=declared.name, path=path, reason=reason)
