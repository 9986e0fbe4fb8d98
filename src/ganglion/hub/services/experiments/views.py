"""Experiments as people see them."""

from collections.abc import Sequence

from ganglion.hub.domain.experiments.document import Experiment
from ganglion.hub.domain.experiments.results import CHANCE
from ganglion.wire.experiment_resources import ArmResult, ExperimentView
from ganglion.wire.rollout_resources import RolloutEntry


def view_of(experiment: Experiment, results: Sequence[ArmResult]) -> ExperimentView:
    """Return the view. Without results the arms are shown with their nodes alone."""
    return ExperimentView(
        name=experiment.request.name,
        experiment_id=experiment.experiment_id,
        model=experiment.request.model,
        state=experiment.state.value,
        request=experiment.request,
        arms=list(results) or _bare(experiment),
        chance=CHANCE,
        left_out=experiment.left_out,
        started_at_s=experiment.started_at_s,
        ends_at_s=experiment.ends_at_s,
        ended_at_s=experiment.ended_at_s,
        reason=experiment.reason,
        winner=experiment.winner,
        rollout_id=experiment.rollout_id,
        history=[RolloutEntry(entry.at_s, entry.event, entry.actor, entry.reason) for entry in experiment.history],
    )


def _bare(experiment: Experiment) -> list[ArmResult]:
    return [
        ArmResult(
            version=arm.version,
            share=arm.share,
            is_control=arm is experiment.control,
            nodes=len(arm.node_ids),
            serving=0,
            rolled_back=0,
        )
        for arm in experiment.arms
    ]
