"""Where an assignment stands: whether a rollout has to be started for it, runs already, or was ended by its gate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ganglion.core.errors import GanglionError
from ganglion.hub.domain.declared import resources as files
from ganglion.hub.domain.declared.fleet_plan import Key
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import AssignmentSpec, GroupSpec, RolloutPolicySpec
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts.document import Rollout, RolloutState
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Group
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.planning import Target
from ganglion.ports.hub_store import ControlTransaction
from ganglion.wire.apply_resources import PlanLine


def judged(
    tx: ControlTransaction,
    line: PlanLine,
    spec: AssignmentSpec,
    declared: Mapping[Key, Declared],
) -> PlanLine:
    """Return an assignment's line with what has to happen. `declared` is everything that is applied with it."""
    if line.action == "remove":
        return line
    nodes = _targets(tx, spec, declared)
    have = tx.assigned_versions(spec.model)
    lacking = [row.name for row in nodes if have.get(row.node_id) != spec.version]
    if not lacking:
        return line if nodes else _with(line, line.action, "no node in service is meant yet")
    open_ones = rollout_rows.open_of(tx, spec.model)
    same = next((each for each in open_ones if _is_for(each, spec)), None)
    if same is not None:
        return _with(line, "wait", f"rollout {same.rollout_id} is {same.state.value}; {len(lacking)} nodes are to come")
    if open_ones and _policy_of(tx, spec, declared).if_busy != "queue":
        other = open_ones[0]
        return _with(line, "wait", f"rollout {other.rollout_id} of {other.model}:{other.version} is not over")
    ended = _ended(tx, spec)
    if ended is not None:
        told = f"rollout {ended.rollout_id} was aborted ({ended.reason}); assign another version, or start one by hand"
        return _with(line, "wait", told)
    return _with(line, "start", f"a rollout for {len(lacking)} of {len(nodes)} nodes")


def _with(line: PlanLine, action: str, note: str) -> PlanLine:
    return replace(line, action=action, note=note)


def _targets(tx: ControlTransaction, spec: AssignmentSpec, declared: Mapping[Key, Declared]) -> Sequence[Target]:
    """Return whom an assignment means once everything is declared."""
    named = declared.get(("Group", spec.to.removeprefix("group:"))) if spec.to else None
    try:
        if named is not None and isinstance(named.spec, GroupSpec):
            return groups.whom(tx, Group(selector=named.spec.select, nodes=named.spec.nodes))
        return rollout_planning.targets(tx, rollout_request.terms_of(files.request_of(spec, None)))
    except GanglionError:
        # Told as a problem of its own.
        return []


def _policy_of(tx: ControlTransaction, spec: AssignmentSpec, declared: Mapping[Key, Declared]) -> RolloutPolicySpec:
    named = declared.get(("RolloutPolicy", spec.policy))
    if named is not None and isinstance(named.spec, RolloutPolicySpec):
        return named.spec
    try:
        return declared_documents.policy(tx, spec.policy) if spec.policy else RolloutPolicySpec()
    except GanglionError:
        return RolloutPolicySpec()


def _is_for(rollout: Rollout, spec: AssignmentSpec) -> bool:
    terms = rollout_request.terms_of(files.request_of(spec, None))
    is_same = (rollout.terms.group, rollout.terms.selector) == (terms.group, terms.selector)
    return rollout.version == spec.version and is_same


def _ended(tx: ControlTransaction, spec: AssignmentSpec) -> Rollout | None:
    """Return the newest rollout of what is assigned, if it was aborted."""
    rows = [row for row in tx.rollouts(model=spec.model) if row.version == spec.version]
    for row in rows:
        rollout = rollout_rows.short(row)
        if _is_for(rollout, spec):
            return rollout if rollout.state is RolloutState.ABORTED else None
    return None
