"""Rollouts under random schedules: nodes commit, refuse, fall silent and return; people pause, resume, promote, abort.

One seed is one schedule. `pytest tests/simulation --seeds N` tries more of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from ganglion.core.errors import Conflict
from ganglion.testing.chance import SeededChance
from ganglion.testing.fleet_laws import StageWatch, check_everybody_returned, versions
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import GATE, FleetWorld, request_of
from ganglion.wire.rollout_resources import RolloutView

STEPS = 80
HABITS = (
    Habit(agreement=0.97, confidence=0.99),
    Habit(agreement=0.95),
    Habit(agreement=0.9, refusal=0.2),
    Habit(errors=0.2),
    Habit(agreement=0.1),
    Habit(latency_us=20_000),
)
STAGES = (["34%", "100%"], ["1", "3", "100%"], ["10%", "40%", "100%"], ["100%"])
REPORT_SHARES = (1.0, 0.5, 0.3)
ORDERS = ("pause", "pause", "resume", "resume", "promote", "abort", "approve", "approve", "approve", "skip", "retry")
REFUSED = {
    *((act, "awaiting_approval") for act in ("promote", "skip", "retry")),
    *((act, "paused") for act in ("promote", "approve", "skip", "retry")),
    # Whoever is needed has not approved, nobody needs to, or nobody of the stage has told anything.
    *((act, "running") for act in ("promote", "approve", "skip")),
}
"""What may be refused, and where."""


T = TypeVar("T")


class Schedule:
    """What a seed does to a fleet and to one rollout after the other."""

    def __init__(self, seed: int) -> None:
        self.chance = SeededChance(seed)
        self.world = FleetWorld(seed)
        for index in range(5 + int(self.chance.share() * 6)):
            self.world.join(f"n{index}", site=("north", "south", "west")[index % 3])
        self.world.release("1")

    def settle_first_version(self) -> None:
        self.world.start("1", ["100%"])
        self.world.settle(steps=12)

    def begin(self, version: str) -> StageWatch:
        self.world.release(version, self.one_of(HABITS))
        share = self.one_of(REPORT_SHARES)
        request = request_of(
            version, self.one_of(STAGES), gate=replace(GATE, reports_min_share=share, deadline_s=250.0)
        )
        terms = replace(request, approvals=self.one_of((0, 0, 1)), site_parallel_max=self.one_of((0, 0, 2)))
        view = self.world.rollouts.start(terms, actor="operator")
        return StageWatch(self.world, view.rollout_id, share)

    def one_of(self, options: Sequence[T]) -> T:
        return options[int(self.chance.share() * len(options))]

    def disturb(self, watch: StageWatch) -> None:
        for node in self.world.nodes.values():
            if self.chance.share() < 0.05:
                node.online = not node.online
        if self.chance.share() < 0.06:
            self.order(watch, self.one_of(ORDERS))
        if self.chance.share() < 0.05:
            self.world.restarted_hub()

    def order(self, watch: StageWatch, act: str) -> None:
        before = self.world.rollouts.get(watch.rollout_id)
        try:
            getattr(self.world.rollouts, act)(watch.rollout_id, actor="ada", reason="a whim")
        except Conflict as error:
            why = error.message
        else:
            why = ""
        assert not why or (act, before.state) in REFUSED, f"{act} was refused in {before.state}: {why}"
        if act == "promote" and not why:
            watch.ordered_stages.add(before.stage)

    def run(self, watch: StageWatch) -> RolloutView:
        for _ in range(STEPS):
            self.disturb(watch)
            watch.check()
            self.world.step()
            if watch.check().state in ("completed", "aborted"):
                break
        else:
            self.world.rollouts.abort(watch.rollout_id, actor="ada", reason="enough")
        return watch.check()


def test_no_schedule_breaks_the_laws_of_rollouts(seeds: range) -> None:
    outcomes = set()
    for seed in seeds:
        try:
            outcomes |= outcomes_of(Schedule(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error

    assert outcomes == {"aborted", "completed"}, "the seeds must try both ends"


def outcomes_of(schedule: Schedule) -> set[str]:
    """Run three rollouts, one after the other, and check after each what the fleet serves."""
    world, outcomes = schedule.world, set()
    schedule.settle_first_version()
    for version in ("2", "3", "4"):
        before = versions(world)
        view = schedule.run(schedule.begin(version))
        world.settle(steps=15)
        now = versions(world)
        if view.state == "aborted":
            check_everybody_returned(world, before)
        else:
            assert version in now.values(), f"completed, and nobody serves {version}"
        assert all(now[name] in (version, before[name]) for name in now), f"{before} became {now}"
        outcomes.add(view.state)
    return outcomes


@pytest.mark.parametrize(("silent_share", "state"), [(0.6, "running"), (0.4, "completed")])
def test_a_group_with_silent_nodes_advances_or_holds_as_declared(silent_share: float, state: str) -> None:
    world = FleetWorld()
    for index in range(30):
        world.join(f"n{index:02}", site=f"site-{index % 5}")
    world.release("1")
    world.start("1", ["100%"])
    world.settle(steps=12)
    world.release("2")
    view = world.start("2", ["100%"], gate=replace(GATE, reports_min_share=0.5))
    for name in view.stages[0].nodes[: int(30 * silent_share)]:
        world.nodes[name].online = False

    world.step(40)

    assert world.rollouts.get(view.rollout_id).state == state
    assert sorted(set(versions(world).values())) == ["1", "2"]
