"""Rollouts over a small simulated fleet: three nodes in two sites that serve version 1."""

from dataclasses import replace

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound, TargetMismatch
from ganglion.hub.domain.rollouts.request import RESTORE_POLICY
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import GATE, FleetWorld, serving_fleet
from ganglion.wire.identity import NodeFacts
from ganglion.wire.rollout_resources import RolloutView

BOARD = NodeFacts(arch="aarch64", runtime="onnxruntime", cores=4, memory_bytes=1, release="0.1.0")


@pytest.fixture
def world() -> FleetWorld:
    return serving_fleet()


def started(world: FleetWorld, habit: Habit | None = None) -> RolloutView:
    world.release("2", habit)
    return world.start("2", ["34%", "100%"])


def canary(view: RolloutView) -> str:
    (name,) = view.stages[0].nodes
    return name


def revoke(world: FleetWorld, name: str) -> None:
    with world.control.write() as tx:
        node = tx.node_by_name(name)
        assert node is not None
        tx.put_node(replace(node, revoked_at_s=world.now_s))


def quarantine(world: FleetWorld, name: str) -> None:
    world.nodes[name].online = False
    _set_quarantine(world, name, world.now_s)


def admit(world: FleetWorld, name: str) -> None:
    world.nodes[name].online = True
    _set_quarantine(world, name, None)
    world.step(8)


def _set_quarantine(world: FleetWorld, name: str, since_s: float | None) -> None:
    with world.control.write() as tx:
        node = tx.node_by_name(name)
        assert node is not None
        tx.put_node(replace(node, quarantined_at_s=since_s))


# --- start ----------------------------------------------------------------------------------------


def test_a_start_gives_the_version_to_the_first_stage_alone_and_wakes_it(world: FleetWorld) -> None:
    world.woken.clear()

    view = started(world)

    name = canary(view)
    assert world.desired_versions() == {node: "2" if node == name else "1" for node in ("n1", "n2", "n3")}
    assert world.woken == [f"id-{name}"]
    assert (view.state, view.stage, len(view.stages)) == ("running", 0, 2)
    assert [(entry.event, entry.actor) for entry in view.history] == [
        ("started", "operator"),
        ("stage_started", "operator"),
    ]


def test_a_version_that_was_not_released_is_refused(world: FleetWorld) -> None:
    with pytest.raises(NotFound, match="meter:9 was not released"):
        world.start("9")


def test_a_second_rollout_of_the_model_is_refused_while_one_is_open(world: FleetWorld) -> None:
    first = started(world)
    world.rollouts.pause(first.rollout_id, actor="ada")

    with pytest.raises(Conflict, match=f"{first.rollout_id} of meter:2 is still paused"):
        world.start("1")


def test_nodes_without_a_fitting_variant_are_named_and_nothing_is_written(world: FleetWorld) -> None:
    world.join("board", facts=BOARD)
    world.release("2", arch="x86_64")
    before = world.desired_versions()

    with pytest.raises(TargetMismatch, match=r"1 nodes fit none of the variants fp32 \(onnxruntime, x86_64\): board"):
        world.start("2")

    assert world.desired_versions() == before
    assert [view.version for view in world.rollouts.list()] == ["1"]


def test_a_fleet_without_active_nodes_is_refused() -> None:
    world = FleetWorld()
    world.join("n1")
    world.release("1")
    revoke(world, "n1")

    with pytest.raises(Conflict, match="no active node"):
        world.start("1")


def test_bad_stages_and_settings_are_refused(world: FleetWorld) -> None:
    world.release("2")

    with pytest.raises(InvalidRequest, match="end with '100%'"):
        world.start("2", ["34%"])
    with pytest.raises(InvalidRequest, match=r"gate\.agreement_min"):
        world.start("2", gate=replace(GATE, agreement_min=2.0))


# --- the gate at work -----------------------------------------------------------------------------


def test_a_good_version_reaches_everybody_stage_by_stage(world: FleetWorld) -> None:
    view = world.finish(started(world, Habit(agreement=0.95, confidence=0.99)))

    assert view.state == "completed"
    assert set(versions(world).values()) == {"2"}
    assert [stage.verdict for stage in view.stages] == ["go_on", "go_on"]
    first, second = (stage.started_at_s for stage in view.stages)
    assert first is not None
    assert second is not None
    assert second > first + GATE.soak_s


@pytest.mark.parametrize(
    ("habit", "told"),
    [
        (Habit(agreement=0.1), "agreement with the previous version"),
        (Habit(errors=0.3), "errors"),
        (Habit(latency_us=30_000), "p99 on x86_64-4"),
        (Habit(refusal=1.0), "rolled back unasked"),
    ],
)
def test_a_bad_version_is_stopped_in_the_first_stage_and_its_nodes_go_back(
    world: FleetWorld, habit: Habit, told: str
) -> None:
    view = world.finish(started(world, habit))
    world.settle(steps=3)

    assert (view.state, view.stage) == ("aborted", 0)
    assert told in view.reason
    assert set(versions(world).values()) == {"1"}


def test_a_node_that_took_the_version_and_was_away_goes_back_when_it_returns(world: FleetWorld) -> None:
    view = started(world, Habit())
    world.step(6)
    away = world.nodes[canary(view)]
    assert away.committed is not None
    assert away.committed.version == "2"
    away.online = False

    world.rollouts.abort(view.rollout_id, actor="ada", reason="wrong labels")
    world.clock.advance(30 * 86_400)
    world.step()
    assert away.committed.version == "2"
    away.online = True
    world.step(2)

    assert set(versions(world).values()) == {"1"}


def test_every_node_gets_its_own_previous_version_back(world: FleetWorld) -> None:
    world.nodes["n3"].online = False
    world.release("2")
    second = world.finish(world.start("2", ["100%"], gate=replace(GATE, reports_min_share=0.5)))
    assert second.state == "completed"
    world.habits["2"] = Habit(refusal=1.0)
    world.settle(steps=10)
    before = versions(world)
    assert sorted(before.values()) == ["1", "2", "2"]
    world.release("3")
    third = world.start("3", ["100%"], gate=replace(GATE, soak_s=300.0))
    world.step(10)
    assert set(versions(world).values()) == {"3"}

    world.rollouts.abort(third.rollout_id, actor="ada", reason="changed my mind")
    world.settle(steps=3)

    assert versions(world) == before


def test_going_back_is_asked_for_without_a_trial_that_could_refuse_the_old_version(world: FleetWorld) -> None:
    view = started(world)
    world.rollouts.abort(view.rollout_id, actor="ada")

    (assignment,) = world.desired.state_of(f"id-{canary(view)}").assignments

    assert (assignment.version, assignment.policy) == ("1", RESTORE_POLICY)
    assert assignment.rollout_id == view.rollout_id


def test_a_first_version_that_is_aborted_is_withdrawn() -> None:
    world = FleetWorld()
    world.join("n1")
    world.release("1", Habit(errors=0.5))
    view = world.finish(world.start("1", ["100%"]))

    world.settle(steps=2)

    assert view.state == "aborted"
    assert versions(world) == {"n1": ""}


def test_a_fleet_that_serves_the_version_already_completes_without_an_update(world: FleetWorld) -> None:
    view = world.finish(world.start("1"))

    assert view.state == "completed"


def test_a_silent_stage_is_aborted_at_its_deadline_and_counts_neither_way(world: FleetWorld) -> None:
    view = started(world)
    world.nodes[canary(view)].online = False

    world.step(60)
    still_waiting = world.rollouts.get(view.rollout_id)
    world.clock.advance(GATE.deadline_s)
    world.step()
    ended = world.rollouts.get(view.rollout_id)

    assert still_waiting.state == "running"
    assert "0 of 1 node committed, 1 silent" in still_waiting.stages[0].verdict_reason
    assert ended.state == "aborted"
    assert ended.reason.startswith("not decided within 600 s: ")


def test_a_revoked_node_has_left_the_fleet_and_is_not_waited_for(world: FleetWorld) -> None:
    world.release("2")
    view = world.start("2", ["67%", "100%"])
    gone, stays = view.stages[0].nodes
    world.nodes[gone].online = False
    world.step(12)
    assert world.rollouts.get(view.rollout_id).stage == 0

    revoke(world, gone)
    view = world.finish(view)

    assert view.state == "completed"
    assert stays in {name for name, version in versions(world).items() if version == "2"}


def test_a_version_can_be_tried_again_after_an_abort(world: FleetWorld) -> None:
    view = started(world)
    world.step(3)
    world.rollouts.abort(view.rollout_id, actor="ada")
    world.settle(steps=3)

    again = world.finish(world.start("2", ["34%", "100%"]))

    assert again.state == "completed"
    assert set(versions(world).values()) == {"2"}


# --- nodes that join meanwhile --------------------------------------------------------------------


def test_a_node_that_joins_later_starts_with_the_fleets_version(world: FleetWorld) -> None:
    world.join("n4")
    world.step(6)

    assert versions(world)["n4"] == "1"


def test_a_node_that_joins_during_a_rollout_has_the_old_version_until_the_last_stage_takes_it_along(
    world: FleetWorld,
) -> None:
    world.release("2")
    view = world.start("2", ["1", "2", "100%"])
    world.join("n4")
    world.step(6)
    meanwhile = versions(world)["n4"]

    view = world.finish(view)

    assert meanwhile == "1"
    assert "n4" in view.stages[-1].nodes
    assert "joined" in [entry.event for entry in view.history]
    assert (view.state, versions(world)["n4"]) == ("completed", "2")


def test_a_node_that_joins_during_the_last_stage_follows_after_it_and_does_not_hold_it_up(world: FleetWorld) -> None:
    world.release("2")
    view = world.start("2", ["1", "100%"])
    while world.rollouts.get(view.rollout_id).stage == 0:
        world.step()
    world.join("n4").online = False

    view = world.finish(view)
    world.settle(steps=8)

    assert view.state == "completed"
    assert all("n4" not in stage.nodes for stage in view.stages)
    assert versions(world)["n4"] == "2"


def test_a_node_that_is_let_in_again_after_a_rollout_that_began_without_it_takes_its_version(
    world: FleetWorld,
) -> None:
    world.release("2")
    quarantine(world, "n3")
    ended = world.finish(world.start("2", ["1", "100%"]))

    admit(world, "n3")

    assert (ended.state, versions(world)["n3"]) == ("completed", "2")


def test_a_node_that_was_put_in_quarantine_before_its_turn_takes_the_version_afterwards(world: FleetWorld) -> None:
    world.release("2")
    view = world.start("2", ["1", "100%"])
    late = view.stages[1].nodes[0]
    quarantine(world, late)
    ended = world.finish(view)

    admit(world, late)

    assert (ended.state, versions(world)[late]) == ("completed", "2")


def test_a_node_that_joins_during_a_models_first_rollout_follows_when_it_is_completed() -> None:
    world = FleetWorld()
    world.join("n1")
    world.release("1")
    view = world.start("1", ["100%"])
    world.step()
    world.join("n2")

    world.finish(view)
    world.step(6)

    assert versions(world) == {"n1": "1", "n2": "1"}


def test_a_rollout_of_the_version_before_is_judged_without_comparisons_that_nobody_makes(world: FleetWorld) -> None:
    world.finish(started(world))
    # The new version disagrees with the old one on everything: people want the old one back.
    world.habits["1"] = Habit(agreement=0.0)

    view = world.finish(world.start("1", ["34%", "100%"]))

    assert view.state == "completed"
    assert set(versions(world).values()) == {"1"}


def test_a_rollout_that_cannot_be_looked_at_holds_up_no_other(world: FleetWorld) -> None:
    view = started(world)
    with world.control.write() as tx:
        row = tx.rollout(view.rollout_id)
        assert row is not None
        tx.put_rollout(replace(row, rollout_id="broken", document=b"\xff not a document"))
        tx.put_rollout(replace(row, rollout_id="odd", document=row.document.replace(b'"stage":0', b'"stage":99')))

    world.step(20)

    assert world.rollouts.get(view.rollout_id).state == "completed"
