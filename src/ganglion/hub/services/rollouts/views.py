"""Rollouts as people see them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganglion.hub.domain.rollouts import revert as rollout_revert
from ganglion.hub.domain.rollouts import turns
from ganglion.hub.domain.rollouts.document import Rollout, RolloutState
from ganglion.hub.domain.rollouts.revert import Way
from ganglion.hub.domain.rollouts.stages import GROUP
from ganglion.hub.services.rollouts.returns import ShownWays
from ganglion.wire.rollout_resources import NodeReturn, RevertView, RolloutEntry, RolloutLimits, RolloutView, StageView


@dataclass(frozen=True, slots=True)
class Begun:
    """A rollout that was started, and the nodes whose wish changed."""

    view: RolloutView
    rollout: Rollout
    touched: Sequence[str]


def shown_ids(rollout: Rollout, most: int | None) -> set[str]:
    """Return the ids of the nodes that a view names, `most` of each list."""
    lists = [stage.node_ids for stage in rollout.stages] + [list(rollout.left_behind), list(rollout.retried_at_s)]
    return {node_id for each in lists for node_id in each[:most]}


def view_of(
    rollout: Rollout,
    names: Mapping[str, str],
    *,
    place: int = 0,
    ways: ShownWays | None = None,
    most: int | None = None,
) -> RolloutView:
    """Return the view, with at most `most` nodes in each list; None: all.

    `names` maps node ids to names, `place` is how many go before it, `ways` is the way back.
    """
    is_open = rollout.state not in (RolloutState.ABORTED, RolloutState.COMPLETED)
    return RolloutView(
        rollout_id=rollout.rollout_id,
        model=rollout.model,
        version=rollout.version,
        state=rollout.state.value,
        stage=rollout.stage,
        stages=[_stage(rollout, index, names, most) for index in range(len(rollout.stages))],
        reason=rollout.reason,
        created_at_s=rollout.created_at_s,
        updated_at_s=rollout.updated_at_s,
        history=[RolloutEntry(entry.at_s, entry.event, entry.actor, entry.reason) for entry in rollout.history],
        started_by=rollout.started_by,
        limits=_limits(rollout),
        place=place,
        given=rollout.gifts,
        committed=rollout.commits,
        held_back=_held_back(rollout) if is_open else 0,
        left_behind=_named(list(rollout.left_behind)[:most], names),
        retried=_named(list(rollout.retried_at_s)[:most], names),
        revert=_revert(rollout, ways, names) if ways is not None else None,
    )


def _stage(rollout: Rollout, index: int, names: Mapping[str, str], most: int | None) -> StageView:
    stage = rollout.stages[index]
    return StageView(
        share=stage.share,
        nodes=[names.get(node_id, node_id) for node_id in stage.node_ids[:most]],
        size=rollout.size_of(index),
        started_at_s=stage.started_at_s,
        verdict=stage.verdict,
        verdict_reason=stage.verdict_reason,
        findings=list(stage.findings),
        approved_by=list(stage.approved_by),
        approvals_missing=rollout.missing_approvals(index) if stage.started_at_s is None else 0,
    )


def _held_back(rollout: Rollout) -> int:
    return rollout.apart.held_back if rollout.apart else len(turns.undelivered(rollout))


def _limits(rollout: Rollout) -> RolloutLimits:
    terms = rollout.terms
    return RolloutLimits(
        to=f"{GROUP}{terms.group}" if terms.group else "",
        select=terms.selector,
        starts_at_s=terms.starts_at_s,
        deadline_at_s=terms.deadline_at_s,
        deadline_act=terms.deadline_act,
        approvals=terms.approvals,
        emergency=terms.is_emergency,
        site_parallel_max=terms.site_parallel_max,
        site_bytes_per_s_max=terms.site_bytes_per_s_max,
        windows=list(rollout.policy.install_windows),
    )


def _revert(rollout: Rollout, found: ShownWays, names: Mapping[str, str]) -> RevertView:
    counts = Counter(found.counts)
    nodes = [
        NodeReturn(
            node=names.get(node_id, node_id),
            state=each.way.value,
            version=rollout_revert.wanted_back(rollout, node_id),
            reason=each.reason,
            returned_at_s=rollout.returned.get(node_id),
        )
        for node_id, each in found.ways.items()
    ]
    return RevertView(
        returned=counts[Way.RETURNED],
        returning=counts[Way.RETURNING],
        silent=counts[Way.SILENT],
        failed=counts[Way.FAILED],
        reverted_at_s=rollout.reverted_at_s,
        nodes=sorted(nodes, key=lambda each: (each.state == Way.RETURNED.value, each.node)),
    )


def _named(node_ids: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return sorted(names.get(node_id, node_id) for node_id in node_ids)
