"""Skip and retry at work: who is left behind, and who tries again."""

from dataclasses import replace

import pytest

from ganglion.core.errors import Conflict
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_world import GATE, FleetWorld, serving_fleet
from ganglion.wire.rollout_resources import RolloutView

PATIENT = replace(GATE, deadline_s=1e6)


@pytest.fixture
def world() -> FleetWorld:
    world = serving_fleet()
    world.release("2")
    return world


def started(world: FleetWorld) -> RolloutView:
    return world.start("2", ["67%", "100%"], gate=PATIENT)


def test_a_stage_goes_on_without_the_silent_nodes_that_were_skipped(world: FleetWorld) -> None:
    view = started(world)
    silent, _ = view.stages[0].nodes
    world.nodes[silent].online = False
    world.step(20)
    stuck = world.rollouts.get(view.rollout_id)

    skipped = world.rollouts.skip(view.rollout_id, actor="ada", reason="the ship is at sea")
    ended = world.finish(view)

    assert (stuck.stage, stuck.state) == (0, "running")
    assert (skipped.stage, skipped.left_behind) == (0, [silent])
    assert skipped.history[-1].reason == f"1 node ({silent}) left behind: the ship is at sea"
    assert ended.state == "completed"


def test_who_was_left_behind_takes_the_version_on_its_return(world: FleetWorld) -> None:
    view = started(world)
    silent, _ = view.stages[0].nodes
    world.nodes[silent].online = False
    world.step(10)
    world.rollouts.skip(view.rollout_id, actor="ada")
    world.finish(view)

    world.settle(steps=8)

    assert set(versions(world).values()) == {"2"}


def test_who_was_left_behind_goes_back_with_the_others_after_an_abort(world: FleetWorld) -> None:
    view = started(world)
    silent, _ = view.stages[0].nodes
    world.step(6)
    world.nodes[silent].online = False
    world.rollouts.skip(view.rollout_id, actor="ada")

    world.rollouts.abort(view.rollout_id, actor="ada")
    world.settle(steps=5)

    assert set(versions(world).values()) == {"1"}


def test_a_stage_of_silent_nodes_alone_cannot_be_skipped(world: FleetWorld) -> None:
    view = started(world)
    for name in view.stages[0].nodes:
        world.nodes[name].online = False
    world.step(3)

    with pytest.raises(Conflict, match="no node of this stage has committed"):
        world.rollouts.skip(view.rollout_id, actor="ada")


def test_skipping_twice_is_skipping_once(world: FleetWorld) -> None:
    view = started(world)
    world.nodes[view.stages[0].nodes[0]].online = False
    world.step(10)

    once = world.rollouts.skip(view.rollout_id, actor="ada")

    assert world.rollouts.skip(view.rollout_id, actor="ada") == once


def test_a_node_that_was_reinstalled_and_forgot_its_wish_gets_it_again(world: FleetWorld) -> None:
    view = started(world)
    lost = world.nodes[view.stages[0].nodes[0]]
    world.step(1)
    assert lost.update is not None
    # As a node does that was given the version and gave it up, and whose word of it never came.
    lost.failed, lost.update = lost.update, None
    lost.untold.clear()
    world.step(20)
    stuck = world.rollouts.get(view.rollout_id)

    retried = world.rollouts.retry(view.rollout_id, actor="ada", reason="its disk was full")
    ended = world.finish(view)

    assert (stuck.stage, stuck.state) == (0, "running")
    assert retried.retried == [lost.name]
    assert (ended.state, set(versions(world).values())) == ("completed", {"2"})


def test_a_retry_is_recorded_with_actor_and_reason_and_counts_once(world: FleetWorld) -> None:
    view = started(world)
    lost = view.stages[0].nodes[0]
    world.nodes[lost].online = False
    world.step(20)

    once = world.rollouts.retry(view.rollout_id, actor="ada", reason="try harder")
    twice = world.rollouts.retry(view.rollout_id, actor="ada", reason="try harder")

    assert once.history[-1].event == "retried"
    assert once.history[-1].reason == f"1 node ({lost}) given it anew: try harder"
    assert twice == once


def test_an_ended_rollout_is_neither_skipped_nor_retried(world: FleetWorld) -> None:
    view = world.finish(started(world))

    for act in (world.rollouts.skip, world.rollouts.retry):
        with pytest.raises(Conflict, match="it has ended"):
            act(view.rollout_id, actor="ada")
