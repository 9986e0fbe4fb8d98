"""Behaviours 1, 2 and 3 of the platform, each with a thousand simulated nodes and the services as they ship."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.testing.fleet_laws import StageWatch, check_everybody_returned, versions
from ganglion.testing.fleet_node import Habit, SimulatedNode
from ganglion.testing.fleet_world import GATE, FleetWorld, request_of
from ganglion.wire import codec
from ganglion.wire.rollout_resources import GateSettings

NODES, SITES = 1000, 20
GROUPS = ["10%", "40%", "100%"]
"""10, 30 and 60 % of the nodes."""
WEEKS_S = 5 * 7 * 86_400.0
POLL_S = 5.0


def thousand_nodes(*, first: str = "1") -> FleetWorld:
    world = FleetWorld()
    for index in range(NODES):
        world.join(f"n{index:04}", site=f"site-{index % SITES:02}")
    world.release(first)
    world.rollouts.start(request_of(first, ["100%"], gate=replace(GATE, soak_s=0.0)), actor="operator")
    world.step(2)
    assert set(versions(world).values()) == {first}
    return world


def wanted(world: FleetWorld, version: str) -> set[str]:
    return {name for name, wish in world.desired_versions().items() if wish == version}


# --- 1. staging -----------------------------------------------------------------------------------


def test_behaviour_01_no_node_of_the_next_group_is_touched_before_the_group_before_it_meets_its_rule() -> None:
    world = thousand_nodes()
    world.release("2")
    view = world.start("2", GROUPS)
    watch = StageWatch(world, view.rollout_id, 1.0)

    for _ in range(30):
        world.step()
        if watch.check().state != "running":
            break

    assert [len(stage.nodes) for stage in view.stages] == [100, 300, 600]
    assert watch.check().state == "completed"
    assert set(versions(world).values()) == {"2"}


def test_behaviour_01_pause_resume_abort_next_stage_retry_and_approve_each_act_within_one_poll_interval() -> None:
    world = thousand_nodes()
    world.release("2")
    view = world.start("2", GROUPS)
    rollouts, rollout_id = world.rollouts, view.rollout_id

    rollouts.pause(rollout_id, actor="ada")
    world.step(6, seconds=POLL_S)
    paused = rollouts.get(rollout_id)
    rollouts.resume(rollout_id, actor="ada")
    world.step(seconds=POLL_S)
    resumed = rollouts.get(rollout_id)
    rollouts.promote(rollout_id, actor="ada", stage=1)
    world.step(seconds=POLL_S)
    promoted = wanted(world, "2")
    lost = given_up(world, view.stages[0].nodes[0])
    rollouts.retry(rollout_id, actor="ada")
    world.step(seconds=POLL_S)
    retried = lost.update or lost.committed
    rollouts.abort(rollout_id, actor="ada")
    world.step(seconds=POLL_S)
    aborted = wanted(world, "2")
    asked = rollouts.start(replace(request_of("2", GROUPS), approvals=1), actor="ada")
    world.step(seconds=POLL_S)
    unapproved = wanted(world, "2")
    rollouts.approve(asked.rollout_id, actor="bob")
    world.step(seconds=POLL_S)

    assert (paused.state, paused.stage, paused.stages[0].verdict) == ("paused", 0, "go_on")
    assert (resumed.state, resumed.stage) == ("running", 1)
    assert len(promoted) == NODES
    assert retried is not None
    assert (retried.version, retried.policy.attempt) == ("2", 1)
    assert (aborted, unapproved) == (set(), set())
    assert len(wanted(world, "2")) == 100


def given_up(world: FleetWorld, name: str) -> SimulatedNode:
    """Let a node give the version up without a word, and the hub believe that it never heard of it."""
    node = world.nodes[name]
    assert node.committed is not None
    node.failed, node.committed, node.spare = node.committed, node.spare, None
    with world.control.write() as tx:
        row = tx.rollouts()[0]
        rollout = codec.decode_json(row.document, Rollout)
        committed = {node_id: at_s for node_id, at_s in rollout.committed.items() if node_id != node.node_id}
        given = {**rollout.given_at_s, node.node_id: world.now_s - 100.0}
        forgotten = msgspec.structs.replace(rollout, committed=committed, given_at_s=given)
        tx.put_rollout(replace(row, document=codec.encode_json(forgotten)))
    return node


# --- 2. silence -----------------------------------------------------------------------------------


SILENT = 600
"""60 % of the group."""
HOLDS, ADVANCES = "running", "completed"


def with_most_of_the_group_offline(declared: GateSettings) -> tuple[FleetWorld, str]:
    """Return a world after 40 s of a rollout in which 400 nodes have committed and 600 are not heard of."""
    world = thousand_nodes()
    world.release("2")
    view = world.start("2", ["100%"], gate=replace(declared, deadline_s=600.0))
    for name in view.stages[0].nodes[:SILENT]:
        world.nodes[name].online = False
    world.step(4, seconds=10.0)
    return world, view.rollout_id


def check_silence_is_neither(world: FleetWorld, rollout_id: str) -> None:
    """The silent are counted as what they are, and the others as what they said."""
    view = world.rollouts.get(rollout_id)
    assert view.committed == NODES - SILENT, "a silent node is no success"
    assert f"{SILENT} silent" in view.stages[0].verdict_reason or f"{SILENT} set aside" in view.stages[0].verdict_reason
    assert {each.figure for each in view.stages[0].findings if each.rule == "updates"} == {0.0}, "and no failure"


@pytest.mark.parametrize(
    ("declared", "state"),
    [
        (replace(GATE, reports_min_share=0.4), ADVANCES),
        (replace(GATE, reports_min_share=0.401), HOLDS),
        (replace(GATE, reports_min_share=0.0, reports_min=400), ADVANCES),
        (replace(GATE, reports_min_share=0.0, reports_min=401), HOLDS),
        (replace(GATE, silence_s_max=25.0), ADVANCES),
        (replace(GATE, silence_s_max=300.0), HOLDS),
    ],
)
def test_behaviour_02_with_60_percent_of_a_group_offline_it_advances_or_holds_exactly_as_declared(
    declared: GateSettings, state: str
) -> None:
    world, rollout_id = with_most_of_the_group_offline(declared)

    assert world.rollouts.get(rollout_id).state == state
    check_silence_is_neither(world, rollout_id)


@pytest.mark.parametrize(("on_deadline", "state"), [("abort", "aborted"), ("pause", "paused"), ("wait", HOLDS)])
def test_behaviour_02_a_silent_group_is_ended_by_its_deadline_as_declared_and_not_before(
    on_deadline: str, state: str
) -> None:
    world, rollout_id = with_most_of_the_group_offline(replace(GATE, on_deadline=on_deadline))

    before = world.rollouts.get(rollout_id).state
    world.clock.advance(600.0)
    world.step()

    assert (before, world.rollouts.get(rollout_id).state) == (HOLDS, state)
    check_silence_is_neither(world, rollout_id)


# --- 3. fleet revert ------------------------------------------------------------------------------


def test_behaviour_03_when_the_error_rule_fires_every_node_returns_to_its_own_previous_version_weeks_later_too() -> (
    None
):
    world = thousand_nodes()
    world.release("2")
    half = world.rollouts.start(
        replace(request_of("2", ["50%"], gate=replace(GATE, soak_s=0.0)), select=""), actor="ada"
    )
    world.step(5)
    assert world.rollouts.get(half.rollout_id).state == "completed"
    before = versions(world)
    assert Counter(before.values()) == {"1": 500, "2": 500}

    world.release("3", Habit(errors=0.4))
    view = world.start("3", ["40%", "100%"])
    world.step(1)
    away = [world.nodes[name] for name in view.stages[0].nodes[:50]]
    for node in away:
        # They take it, lose their link, and hear of nothing for weeks.
        node.online = False
    world.step(4)
    world.clock.advance(1000.0)
    world.step(1)
    ended = world.rollouts.get(view.rollout_id)
    meanwhile = versions(world)
    world.clock.advance(WEEKS_S)
    world.restarted_hub()
    for node in away:
        node.online = True
    world.step(4)

    assert ended.state == "aborted"
    assert "errors" in ended.reason
    assert {meanwhile[node.name] for node in away} == {"3"}
    assert ended.revert is not None
    assert (ended.revert.returned, ended.revert.silent, ended.revert.failed) == (350, 50, 0)
    check_everybody_returned(world, before)
    found = world.rollouts.get(view.rollout_id).revert
    assert found is not None
    assert (found.returned, found.returning, found.silent, found.failed) == (400, 0, 0, 0)
