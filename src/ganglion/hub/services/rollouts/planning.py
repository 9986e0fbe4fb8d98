"""For whom a rollout is, in which stages, and whether it can be at all: what `start` does and a plan only shows."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from ganglion.core.errors import Conflict, InvalidRequest, NotFound, TargetMismatch
from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts import stages
from ganglion.hub.domain.rollouts.document import Rollout, RolloutState, Terms
from ganglion.hub.domain.rollouts.stages import Place, StageShare
from ganglion.hub.domain.rollouts.table import OPEN_STATES
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.releases.release_choice import Choice
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.ports.many_nodes import NodeSight
from ganglion.wire import codec
from ganglion.wire.rollout_resources import RolloutRequest

PAIR_LABEL = "ha_pair"
"""Two nodes with the same value of this label stand in for each other."""
OPEN_MAX = 100
"""Rollouts of one model that have not ended: each is looked at once a second."""
_NAMES_MAX = 5
_ENDED = (RolloutState.COMPLETED.value, RolloutState.ABORTED.value)

Target: TypeAlias = NodeRow | NodeSight


def drafted(tx: ControlTransaction, request: RolloutRequest, *, rollout_id: str, now_s: float) -> Rollout:
    """Return the rollout that a sound request means, planned over the nodes of now. Nothing is stored.

    Raises: NotFound: it was not released, or a group is missing. TargetMismatch: nodes without a fitting variant.
    Conflict: no node to go to. InvalidRequest.
    """
    check_room(tx, request.model)
    terms = rollout_request.terms_of(request)
    nodes = targets(tx, terms)
    check_release(tx, request.model, request.version, nodes)
    planned = stages_of(tx, terms, nodes)
    return Rollout(
        rollout_id=rollout_id,
        model=request.model,
        version=request.version,
        stages=documents.planned(planned),
        gate=rollout_request.gate_of(request),
        policy=msgspec.structs.replace(rollout_request.policy_of(request), anew=_was_taken_back(tx, request)),
        terms=terms,
        is_partial=sum(len(stage.node_ids) for stage in planned) < len(nodes),
        created_at_s=now_s,
        updated_at_s=now_s,
    )


def check_room(tx: ControlTransaction, model: str) -> None:
    """Raises: Conflict: so many rollouts of the model are open that somebody should look what starts them."""
    if len(tx.rollouts(model=model, states=[state.value for state in OPEN_STATES])) >= OPEN_MAX:
        raise Conflict(f"{OPEN_MAX} rollouts of {model} wait or run, which is the limit: abort those that nobody needs")


def _was_taken_back(tx: ControlTransaction, request: RolloutRequest) -> bool:
    """Say whether the last rollout of the version that has ended was aborted: some nodes know it, and not as good."""
    ended = tx.rollouts(model=request.model, states=_ENDED)
    return next((row.state == RolloutState.ABORTED for row in ended if row.version == request.version), False)


def replanned(tx: ControlTransaction, rollout: Rollout) -> Rollout:
    """Return a rollout that has not begun, planned again over the nodes of now. Raises: as `drafted`."""
    nodes = targets(tx, rollout.terms)
    check_release(tx, rollout.model, rollout.version, nodes)
    planned = stages_of(tx, rollout.terms, nodes)
    covered = sum(len(stage.node_ids) for stage in planned)
    return msgspec.structs.replace(documents.replanned(rollout, planned), is_partial=covered < len(nodes))


def targets(tx: ControlTransaction, terms: Terms) -> Sequence[Target]:
    """Return the nodes in service that a rollout is for, by name. Raises: NotFound: there is no such group."""
    if terms.group:
        return groups.members(tx, terms.group)
    if terms.selector is not None:
        return groups.selected(tx, terms.selector)
    return [node for node in tx.node_sights() if lifecycle.takes_part(node)]


def joined_since(tx: ControlTransaction, rollout: Rollout) -> list[str]:
    """Return the ids of nodes that a rollout is for and that none of its stages has: they joined while it ran."""
    if rollout.is_partial:
        return []
    staged = {node_id for stage in rollout.stages for node_id in stage.node_ids}
    try:
        found = targets(tx, rollout.terms)
    except (NotFound, InvalidRequest):
        # Somebody has removed the group meanwhile: nobody belongs to it any more.
        return []
    return [node.node_id for node in found if node.node_id not in staged]


def check_release(tx: ControlTransaction, model: str, version: str, nodes: Sequence[Target]) -> None:
    """Raises: NotFound: it was not released. Conflict: there is no node. TargetMismatch: nodes fit no variant."""
    releases = tx.releases(model, version)
    if not releases:
        raise NotFound(f"{model[:80]}:{version[:80]} was not released")
    if not nodes:
        raise Conflict("no active node is enrolled, or meant, so there is nothing to roll out to")
    choice = Choice(releases)
    misfits = [node.name for node in nodes if choice.of(node) is None]
    if misfits:
        named = ", ".join(misfits[:_NAMES_MAX]) + (" and others" if len(misfits) > _NAMES_MAX else "")
        offered = ", ".join(sorted({f"{row.variant} ({row.runtime}, {row.arch})" for row in releases}))
        raise TargetMismatch(f"{len(misfits)} nodes fit none of the variants {offered}: {named}")


def stages_of(tx: ControlTransaction, terms: Terms, nodes: Sequence[Target]) -> tuple[stages.PlannedStage, ...]:
    """Return the stages over these nodes. Raises: InvalidRequest, NotFound: a stage names a group that is missing."""
    shares = stages.parse(terms.stages)
    return stages.divide(
        terms.seed,
        shares,
        [place_of(node) for node in nodes],
        groups=_members(tx, shares),
        may_leave_out=terms.is_limited,
    )


def place_of(node: Target) -> Place:
    """Return what spreads and separates a node."""
    pair = codec.decode_json(node.labels, dict[str, str]).get(PAIR_LABEL, "")
    return Place(node.node_id, node.site, node.node_class, pair)


def places_in_service(tx: ControlTransaction) -> dict[str, Place]:
    """Return the place of every node that takes part, by id."""
    return {node.node_id: place_of(node) for node in tx.node_sights() if lifecycle.takes_part(node)}


def ahead_of(tx: ControlTransaction, rollout: Rollout) -> list[Rollout]:
    """Return the open rollouts of the model that go before this one, oldest first."""
    others = [each for each in rollout_rows.open_of(tx, rollout.model) if each.rollout_id != rollout.rollout_id]
    return [each for each in reversed(others) if each.has_begun or _is_in_line_before(each, rollout)]


def _is_in_line_before(one: Rollout, other: Rollout) -> bool:
    """Say whether `one` waits before `other`. One whose time has not come stands in no line."""
    if one.waiting_since_s is None:
        return False
    if other.waiting_since_s is None:
        return True
    return _line(one) < _line(other)


def _line(rollout: Rollout) -> tuple[float, float, str]:
    return rollout.waiting_since_s or 0.0, rollout.created_at_s, rollout.rollout_id


def _members(tx: ControlTransaction, shares: Sequence[StageShare]) -> Mapping[str, set[str]]:
    named = {share.group for share in shares if share.group}
    return {name: {node.node_id for node in groups.members(tx, name)} for name in named}
