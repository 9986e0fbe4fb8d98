"""The fleet as files declare it: plans, applying them, the schemas of what can be declared."""

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter

from ganglion.core.errors import NotFound
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.access import HubPart, Viewer
from ganglion.entrypoints.hub_api.bodies import StrictRoute
from ganglion.hub.domain.declared.resources import Declared, request_of
from ganglion.hub.domain.fleet import specs as fleet_specs
from ganglion.hub.domain.fleet.specs import AlertSpec, AssignmentSpec, SettingsSpec, place_of
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.trust.roles import Caller, Right
from ganglion.wire import codec, paths
from ganglion.wire.apply_resources import ApplyReply, ApplyRequest, PlanLine, RolloutPolicyView

router = APIRouter(tags=["fleet"], route_class=StrictRoute)


@router.post(paths.APPLY)
def apply_fleet(hub: HubPart, caller: Viewer, request: ApplyRequest, *, dry_run: bool = False) -> ApplyReply:
    """Make the fleet what the resources say, or with `dry_run` tell what that would take, and every problem.

    A dry run needs the right to read. A role for some nodes or models sees and changes what concerns these alone.
    """
    check = partial(_check_line, caller)
    if request.prune:
        caller.check_whole_fleet()
    if dry_run:
        is_limited = bool(caller.scope.sites or caller.scope.models)
        return hub.organisation.declarations.plan(request, check=check if is_limited else None)
    caller.check(Right.OPERATE)
    return hub.organisation.declarations.apply(request, actor=caller.actor, check=check)


@router.get(paths.SCHEMAS)
def list_schemas(_caller: Viewer) -> list[str]:
    """List the kinds of resources that can be declared."""
    return list(fleet_specs.KINDS)


@router.get(paths.SCHEMAS + "/{kind}")
def show_schema(_caller: Viewer, kind: str) -> dict[str, object]:
    """Return the JSON Schema of a kind of resource."""
    if kind not in fleet_specs.KINDS:
        raise NotFound(f"{kind[:80]!r} is no kind; there are {', '.join(fleet_specs.KINDS)}")
    return fleet_specs.schema(kind)


@router.get(paths.ROLLOUT_POLICIES)
def list_rollout_policies(hub: HubPart, _caller: Viewer) -> list[RolloutPolicyView]:
    """List named defaults of rollouts, by name."""
    found = hub.organisation.declarations.policies()
    return [
        RolloutPolicyView(name=name, spec=codec.encode_json(spec).decode(), owner=owner)
        for name, (spec, owner) in sorted(found.items())
    ]


def _check_line(caller: Caller, tx: ControlTransaction, line: PlanLine, declared: Declared) -> None:
    """Raises: Forbidden: the caller's role is not for what a line would change."""
    match declared.spec:
        case AssignmentSpec() as spec:
            caller.check_model(spec.model)
            if not spec.to and spec.select is None:
                caller.check_whole_fleet()
            if caller.scope.sites:
                scopes.check_rows(tx, caller, _reached(tx, spec))
        case SettingsSpec() as spec:
            _check_place(caller, tx, *place_of(spec))
        case AlertSpec():
            caller.check_unlimited()
        case _ if line.kind == "Site":
            caller.check_site(line.name)
        case _:
            caller.check_whole_fleet()


def _reached(tx: ControlTransaction, spec: AssignmentSpec) -> Sequence[NodeRow]:
    """Return whom an assignment means; nobody, when its group is not there: that is a problem of its own."""
    try:
        found = rollout_planning.targets(tx, rollout_request.terms_of(request_of(spec, None)))
    except NotFound:
        return []
    return tx.nodes_of([node.node_id for node in found])


def _check_place(caller: Caller, tx: ControlTransaction, scope: str, name: str) -> None:
    match scope:
        case "group":
            caller.check_group(name)
        case "site":
            caller.check_site(name)
        case "node":
            row = tx.node_by_name(name)
            scopes.check_rows(tx, caller, [row] if row else [])
        case _:
            caller.check_whole_fleet()
