"""Shows a rollout without starting it: who would get what, when at the earliest, and how much would travel."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganglion.core.errors import Conflict, NotFound
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts import stages
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.domain.rollouts.stages import PlannedStage
from ganglion.hub.services.releases.release_choice import Choice
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.planning import Target
from ganglion.ports.hub_store import AssignmentRow, ControlTransaction
from ganglion.wire.rollout_resources import PlannedNode, PlannedStageView, RolloutPlan, RolloutRequest


@dataclass(frozen=True, slots=True)
class _Fleet:
    nodes: Mapping[str, Target]
    choice: Choice
    assigned: Mapping[str, AssignmentRow]


def planned(tx: ControlTransaction, request: RolloutRequest, *, now_s: float, most: int | None) -> RolloutPlan:
    """Return the plan of a sound request, which names `most` nodes of each stage; None: all.

    Raises: NotFound: it was not released, or a group is missing. Conflict: no node to go to, or none that fits.
    InvalidRequest: the stages do not suit these nodes.
    """
    releases = tx.releases(request.model, request.version)
    if not releases:
        raise NotFound(f"{request.model[:80]}:{request.version[:80]} was not released")
    terms = rollout_request.terms_of(request)
    nodes = rollout_planning.targets(tx, terms)
    choice = Choice(releases)
    fitting = [node for node in nodes if choice.of(node) is not None]
    if not fitting:
        raise Conflict(f"of {len(nodes)} nodes none can take {request.model}:{request.version}")
    divided = rollout_planning.stages_of(tx, terms, fitting)
    fleet = _Fleet(
        nodes={node.node_id: node for node in fitting},
        choice=choice,
        assigned={row.node_id: row for row in tx.assignments(model=request.model)},
    )
    views = _stages(request, divided, fleet, now_s=now_s, most=most)
    return RolloutPlan(
        model=request.model,
        version=request.version,
        seed=terms.seed,
        stages=views,
        misfits=sorted({node.name for node in nodes} - {node.name for node in fitting}),
        ahead=[each.rollout_id for each in _open(tx, request.model)],
        download_bytes=sum(view.download_bytes for view in views),
        approvals=terms.approvals,
    )


def _open(tx: ControlTransaction, model: str) -> list[Rollout]:
    found = rollout_rows.open_of(tx, model)
    return [each for each in reversed(found) if each.has_begun or each.waiting_since_s is not None]


def _stages(
    request: RolloutRequest, divided: Sequence[PlannedStage], fleet: _Fleet, *, now_s: float, most: int | None
) -> list[PlannedStageView]:
    views, at_s = list[PlannedStageView](), max(now_s, request.starts_at_s or 0.0)
    soak_s = rollout_request.gate_of(request).soak_s
    for stage in divided:
        nodes = [_node(fleet.nodes[node_id], fleet) for node_id in stage.node_ids]
        batches = _batches(request, [rollout_planning.place_of(fleet.nodes[node_id]) for node_id in stage.node_ids])
        size_bytes = sum(node.download_bytes for node in nodes)
        views.append(PlannedStageView(stage.share, nodes[:most], at_s, batches, size_bytes, len(nodes)))
        at_s += batches * request.probation.probation_s + soak_s
    return views


def _node(node: Target, fleet: _Fleet) -> PlannedNode:
    release, assigned = fleet.choice.of(node), fleet.assigned.get(node.node_id)
    assert release is not None, "only nodes that fit are planned for"
    has_it = assigned is not None and (assigned.version, assigned.variant) == (release.version, release.variant)
    return PlannedNode(
        node=node.name,
        site=node.site,
        node_class=node.node_class,
        variant=release.variant,
        before=assigned.version if assigned else "",
        download_bytes=0 if has_it else release.size_bytes,
    )


def _batches(request: RolloutRequest, places: Sequence[stages.Place]) -> int:
    sites = Counter(place.site for place in places)
    pairs = Counter(place.pair for place in places if place.pair)
    by_site = math.ceil(max(sites.values()) / request.site_parallel_max) if request.site_parallel_max else 1
    return max(by_site, *pairs.values(), 1) if pairs else by_site
