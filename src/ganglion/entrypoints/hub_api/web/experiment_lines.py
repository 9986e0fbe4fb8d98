"""Experiments as the page shows them: those that run first, and the newest of the others."""

from dataclasses import dataclass

from ganglion.entrypoints.fleet.experiment_words import ArmLine, arm_lines, ways
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.trust.roles import Caller
from ganglion.wire.experiment_resources import ExperimentView

EXPERIMENTS_MAX = 5


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """An experiment, and a line for each metric of each arm."""

    experiment: ExperimentView
    ways: str
    """Which version works where."""
    arms: list[ArmLine]


def newest(hub: Hub, caller: Caller) -> list[ExperimentLine]:
    """Return what a role for the whole fleet may see of experiments; another role sees none."""
    if caller.scope.sites or caller.scope.models:
        return []
    views = sorted(hub.organisation.experiments.list(), key=_freshest)[:EXPERIMENTS_MAX]
    # The list leaves out what the arms of a running one show.
    shown = [hub.organisation.experiments.get(each.name) if each.state == "running" else each for each in views]
    return [ExperimentLine(view, ways(view), [line for arm in view.arms for line in arm_lines(arm)]) for view in shown]


def _freshest(view: ExperimentView) -> tuple[bool, float]:
    return view.state != "running", -(view.ended_at_s or view.started_at_s or 0.0)
