"""Rollouts as people see them."""

from collections.abc import Mapping

from ganglion.hub.domain.rollout import Rollout, Stage
from ganglion.wire.rollout_resources import RolloutEntry, RolloutView, StageView


def view_of(rollout: Rollout, names: Mapping[str, str]) -> RolloutView:
    """Return the view; `names` maps node ids to names."""
    return RolloutView(
        rollout_id=rollout.rollout_id,
        model=rollout.model,
        version=rollout.version,
        state=rollout.state.value,
        stage=rollout.stage,
        stages=[_stage(stage, names) for stage in rollout.stages],
        reason=rollout.reason,
        created_at_s=rollout.created_at_s,
        updated_at_s=rollout.updated_at_s,
        history=[RolloutEntry(entry.at_s, entry.event, entry.actor, entry.reason) for entry in rollout.history],
    )


def _stage(stage: Stage, names: Mapping[str, str]) -> StageView:
    return StageView(
        share=stage.share,
        nodes=[names.get(node_id, node_id) for node_id in stage.node_ids],
        started_at_s=stage.started_at_s,
        verdict=stage.verdict,
        verdict_reason=stage.verdict_reason,
    )
