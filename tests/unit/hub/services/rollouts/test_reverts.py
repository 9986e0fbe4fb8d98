"""After an abort the hub follows every node until it has what it had before, and says how far each one is."""

from dataclasses import replace

import pytest

from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_node import Habit, SimulatedNode
from ganglion.testing.fleet_world import GATE, FleetWorld, request_of, serving_fleet
from ganglion.wire.rollout_resources import RevertView, RolloutView

MONTHS_S = 100 * 86_400.0


@pytest.fixture
def world() -> FleetWorld:
    world = serving_fleet()
    world.release("2")
    return world


def under_way(world: FleetWorld) -> RolloutView:
    view = world.start("2", ["100%"], gate=replace(GATE, soak_s=300.0))
    world.step(2)
    return view


def abort(world: FleetWorld, view: RolloutView) -> None:
    world.rollouts.abort(view.rollout_id, actor="ada", reason="wrong labels")


def revert(world: FleetWorld, view: RolloutView) -> RevertView:
    found = world.rollouts.get(view.rollout_id).revert
    assert found is not None
    return found


def states(found: RevertView) -> dict[str, str]:
    return {each.node: each.state for each in found.nodes}


def events(world: FleetWorld, view: RolloutView) -> list[str]:
    return [entry.event for entry in world.rollouts.get(view.rollout_id).history]


def away(world: FleetWorld, name: str) -> SimulatedNode:
    node = world.nodes[name]
    node.online = False
    return node


def test_the_way_back_of_each_node_is_shown_as_it_reports(world: FleetWorld) -> None:
    view = under_way(world)
    before = world.rollouts.get(view.rollout_id).revert
    abort(world, view)
    at_first = revert(world, view)

    world.step(3)
    at_last = revert(world, view)

    assert before is None
    assert at_first.returned == 0
    assert (at_last.returned, at_last.returning, at_last.silent, at_last.failed) == (3, 0, 0, 0)
    assert states(at_last) == dict.fromkeys(("n1", "n2", "n3"), "returned")
    assert {each.version for each in at_last.nodes} == {"1"}


def test_the_end_of_the_revert_is_noted_once_with_its_time_in_history_and_audit_trail(world: FleetWorld) -> None:
    view = under_way(world)
    abort(world, view)

    world.step(10)

    assert revert(world, view).reverted_at_s is not None
    assert events(world, view).count("reverted") == 1
    with world.control.read() as tx:
        (link,) = tx.audit(AuditQuery(action="rollout.reverted"))
    assert link.subject == view.rollout_id


def test_a_silent_node_is_neither_back_nor_failed_and_the_others_are_done_without_it(world: FleetWorld) -> None:
    view = under_way(world)
    away(world, "n2")
    world.step(1)
    abort(world, view)

    world.step(6)

    found = revert(world, view)
    assert (found.returned, found.silent, found.failed) == (2, 1, 0)
    assert states(found)["n2"] == "silent"
    assert found.reverted_at_s is not None
    assert world.rollouts.get(view.rollout_id).history[-1].reason == "2 of 3 nodes are back, 1 silent"


def test_a_node_that_returns_months_later_is_sent_back_and_noted(world: FleetWorld) -> None:
    view = under_way(world)
    late = away(world, "n2")
    world.step(1)
    abort(world, view)
    world.step(6)

    world.clock.advance(MONTHS_S)
    world.restarted_hub()
    late.online = True
    world.step(3)

    found = revert(world, view)
    returned = next(each for each in found.nodes if each.node == "n2")
    assert (returned.state, versions(world)["n2"]) == ("returned", "1")
    assert returned.returned_at_s is not None
    assert found.reverted_at_s is not None
    assert returned.returned_at_s - found.reverted_at_s > MONTHS_S
    assert events(world, view)[-1] == "returned_late"


def test_when_everybody_is_back_nothing_is_followed_any_more(world: FleetWorld) -> None:
    view = under_way(world)
    abort(world, view)
    with world.control.read() as tx:
        followed = [row.name for row in tx.documents("rollout_revert")]

    world.step(10)

    with world.control.read() as tx:
        assert (followed, tx.documents("rollout_revert")) == ([view.rollout_id], [])


def test_a_rollout_that_gave_nobody_anything_has_no_way_back(world: FleetWorld) -> None:
    view = world.rollouts.start(replace(request_of("2"), starts_at_s=world.now_s + 1e6), actor="ada")
    abort(world, view)

    world.step(3)

    assert world.rollouts.get(view.rollout_id).revert is None
    assert "reverted" not in events(world, view)


def test_a_node_that_a_later_rollout_gave_something_else_is_not_waited_for(world: FleetWorld) -> None:
    view = under_way(world)
    late = away(world, "n2")
    world.step(1)
    abort(world, view)
    world.step(6)
    world.release("3")
    world.finish(world.start("3", ["67%", "100%"], gate=replace(GATE, reports_min_share=0.3)))

    late.online = True
    world.step(10)

    assert versions(world)["n2"] == "3"
    assert states(revert(world, view)) == dict.fromkeys(("n1", "n2", "n3"), "returned")


def test_a_node_that_left_the_fleet_leaves_the_count(world: FleetWorld) -> None:
    view = under_way(world)
    away(world, "n2")
    abort(world, view)
    with world.control.write() as tx:
        node = tx.node_by_name("n2")
        assert node is not None
        tx.put_node(replace(node, retired_at_s=world.now_s))

    world.step(6)

    assert states(revert(world, view)) == {"n1": "returned", "n3": "returned"}


def test_a_node_that_had_nothing_before_is_back_when_it_has_nothing() -> None:
    world = FleetWorld()
    world.join("n1")
    world.release("1")
    view = world.start("1", ["100%"])
    world.step(2)
    abort(world, view)

    world.step(4)

    assert states(revert(world, view)) == {"n1": "returned"}
    assert versions(world) == {"n1": ""}


def test_a_version_that_was_taken_back_is_compared_again_by_nodes_that_know_it() -> None:
    world = serving_fleet()
    world.release("2", Habit(agreement=0.1))
    lenient = replace(GATE, compared_min=0)
    first = world.start("2", ["100%"], gate=lenient)
    world.step(1)
    abort(world, first)
    world.settle(steps=4)
    assert set(versions(world).values()) == {"1"}

    again = world.finish(world.start("2", ["100%"]))

    assert again.state == "aborted"
    assert "agreement" in again.reason


def test_a_version_that_every_node_had_at_last_is_gone_back_to_without_a_trial() -> None:
    world = serving_fleet()
    world.release("2", Habit(agreement=0.1))
    abort(world, world.start("1", ["100%"]))
    assert world.finish(world.start("1", ["100%"])).state == "completed"
    assert world.finish(world.start("2", ["100%"], gate=replace(GATE, agreement_min=0.0))).state == "completed"

    back = world.finish(world.start("1", ["100%"]))

    assert back.state == "completed"
    assert "no previous version to compare with" in back.stages[0].verdict_reason
