"""Laws 5 and 6 of the architecture as checks on a `FleetWorld`, from what its nodes did, not from what the hub says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganglion.testing.fleet_node import SimulatedNode
from ganglion.testing.fleet_world import MODEL, FleetWorld
from ganglion.wire.rollout_resources import RolloutView


@dataclass(slots=True)
class StageWatch:
    """Watches one rollout from step to step."""

    world: FleetWorld
    rollout_id: str
    reports_min_share: float
    ordered_stages: set[int] = field(default_factory=set)
    """Stages that a person ordered to be left; the gate's word is not needed there."""
    _stage: int = 0

    def check(self) -> RolloutView:
        """Compare the hub's view with the fleet. Call it after every step and every operator's action."""
        view = self.world.rollouts.get(self.rollout_id)
        self._check_later_stages_untouched(view)
        last_left = len(view.stages) if view.state == "completed" else view.stage
        for stage in range(self._stage, last_left):
            self._check_left_rightly(view, stage)
        self._stage = last_left
        return view

    def _check_later_stages_untouched(self, view: RolloutView) -> None:
        """Law 5: no node of a stage that has not started is given the version."""
        with self.world.control.read() as tx:
            given = {row.node_id for row in tx.assignments(model=MODEL) if row.rollout_id == self.rollout_id}
        later = {name for stage in view.stages[view.stage + 1 :] for name in stage.nodes}
        touched = {name for name in later if self.world.nodes[name].node_id in given}
        assert not touched, f"{touched} were given {view.version} in stage {view.stage} of {view.stages}"

    def _check_left_rightly(self, view: RolloutView, stage: int) -> None:
        """Law 6: a stage is left with enough true, told commits; silence is not one of them."""
        if stage in self.ordered_stages:
            return
        nodes = [self.world.nodes[name] for name in view.stages[stage].nodes if self._is_waited_for(name, view)]
        committed = sum(self._told_commit(node, view) for node in nodes)
        needed = max(1, math.ceil(self.reports_min_share * len(nodes) - 1e-9))
        assert committed >= needed, f"stage {stage} was left with {committed} of {len(nodes)} commits, {needed} needed"

    def _is_waited_for(self, name: str, view: RolloutView) -> bool:
        """Who was left behind on a person's word counts when it has spoken, and is no part of the whole otherwise."""
        return name not in view.left_behind or self._told_commit(self.world.nodes[name], view)

    def _told_commit(self, node: SimulatedNode, view: RolloutView) -> bool:
        untold = any(event.name == "update.committed" for event in node.untold)
        return (view.rollout_id, view.version) in node.taken and not untold


def versions(world: FleetWorld) -> dict[str, str]:
    """Return what every node serves, by name; "" where it serves nothing."""
    return {name: node.committed.version if node.committed else "" for name, node in world.nodes.items()}


def check_everybody_returned(world: FleetWorld, before: Mapping[str, str]) -> None:
    """Law 5: after an abort every node serves what it served before, whoever came back late."""
    now = versions(world)
    wrong = {name: (now[name], version) for name, version in before.items() if now[name] != version}
    assert not wrong, f"these serve one version and had another before the rollout: {wrong}"
