"""Rollouts for a part of the fleet, stages that name their nodes, and plans."""

from dataclasses import replace

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_world import GATE, PROBATION, FleetWorld, request_of, serving_fleet
from ganglion.wire.identity import NodeFacts
from ganglion.wire.rollout_resources import RolloutPlan, RolloutRequest

BOARD = NodeFacts(arch="aarch64", runtime="onnxruntime", cores=4, memory_bytes=1, release="0.1.0")


@pytest.fixture
def world() -> FleetWorld:
    world = serving_fleet()
    world.release("2")
    world.group("canary", nodes=["n2"])
    return world


def nodes_of(plan: RolloutPlan) -> list[list[str]]:
    return [[node.node for node in stage.nodes] for stage in plan.stages]


# --- stages that name their nodes -----------------------------------------------------------------


def test_a_group_takes_the_version_first(world: FleetWorld) -> None:
    view = world.start("2", ["group:canary", "100%"])

    assert view.stages[0].nodes == ["n2"]
    assert world.finish(view).state == "completed"


def test_a_class_takes_the_version_first(world: FleetWorld) -> None:
    world.join("board", facts=BOARD)
    world.step(6)

    view = world.start("2", [f"class:{BOARD.node_class}", "100%"])

    assert view.stages[0].nodes == ["board"]


def test_a_stage_of_a_group_that_is_not_there_is_refused(world: FleetWorld) -> None:
    with pytest.raises(NotFound, match="there is no group 'nobody'"):
        world.start("2", ["group:nobody", "100%"])


# --- a part of the fleet --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_for_a_part",
    [replace(request_of("2", ["100%"]), to="group:canary"), replace(request_of("2", ["100%"]), select="name=n2")],
)
def test_a_rollout_for_a_part_reaches_nobody_else_and_leaves_the_default_alone(
    world: FleetWorld, request_for_a_part: RolloutRequest
) -> None:
    view = world.finish(world.rollouts.start(request_for_a_part, actor="ada"))
    world.join("n4")
    world.step(6)

    assert view.state == "completed"
    assert versions(world) == {"n1": "1", "n2": "2", "n3": "1", "n4": "1"}


def test_the_last_stage_of_a_rollout_for_a_part_may_leave_nodes_out(world: FleetWorld) -> None:
    some = replace(request_of("2", ["67%"]), select="")

    view = world.finish(world.rollouts.start(some, actor="ada"))
    world.step(6)

    assert view.state == "completed"
    assert sorted(versions(world).values()) == ["1", "2", "2"]


def test_a_node_that_joins_the_group_meanwhile_follows_and_one_outside_does_not(world: FleetWorld) -> None:
    world.group("site-north", selector="site=north")
    view = world.rollouts.start(replace(request_of("2"), to="group:site-north"), actor="ada")
    world.join("n4", site="north")
    world.join("n5", site="south")

    world.finish(view)
    world.step(8)

    assert versions(world) == {"n1": "2", "n2": "2", "n3": "1", "n4": "2", "n5": "1"}


def test_after_an_abort_a_part_has_what_it_had(world: FleetWorld) -> None:
    view = world.rollouts.start(replace(request_of("2", ["100%"]), to="group:canary"), actor="ada")
    world.step(3)

    world.rollouts.abort(view.rollout_id, actor="ada")
    world.step(3)

    assert set(versions(world).values()) == {"1"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"to": "canary"}, "it names a group"),
        ({"to": "group:"}, "it names a group"),
        ({"to": "group:canary", "select": "site=north"}, "give one of them"),
        ({"select": "a=b=c d"}, "cannot be read"),
        ({"approvals": -1}, "approvals is -1"),
        ({"approvals": 10_000}, "approvals is 10000"),
        ({"site_parallel_max": -5}, "site_parallel_max is -5"),
        ({"deadline_act": "explode"}, "it is pause or abort"),
        ({"if_busy": "push"}, "it is refuse or queue"),
        ({"starts_at_s": float("nan")}, "starts_at_s is nan"),
        ({"starts_at_s": 1e30}, "it is a time in seconds since 1970"),
        ({"starts_at_s": 200.0, "deadline_at_s": 100.0}, "lies before starts_at_s"),
        ({"reason": "x" * 201}, "at most 200 characters"),
        ({"seed": "x" * 201}, "at most 200 characters"),
        ({"windows": ["daily 02:00-04:00"] * 1000}, "1000 windows were given"),
        ({"windows": ["whenever"]}, "whenever"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_before_anything_is_looked_up(
    world: FleetWorld, change: dict[str, object], told: str
) -> None:
    request = replace(request_of("9"), **change)  # type: ignore[arg-type]  # each row changes fields of its own types

    with pytest.raises(InvalidRequest, match=told):
        world.rollouts.start(request, actor="ada")


def test_a_group_without_nodes_in_service_is_nobody_to_roll_out_to(world: FleetWorld) -> None:
    world.group("empty")

    with pytest.raises(Conflict, match="nothing to roll out to"):
        world.rollouts.start(replace(request_of("2"), to="group:empty"), actor="ada")


# --- plans ----------------------------------------------------------------------------------------


def test_a_plan_is_what_a_start_then_does(world: FleetWorld) -> None:
    request = request_of("2", ["group:canary", "67%", "100%"])

    plan = world.rollouts.plan(request)
    view = world.rollouts.start(request, actor="ada")

    assert nodes_of(plan) == [stage.nodes for stage in view.stages]


def test_a_second_try_begins_with_the_same_nodes_and_another_seed_with_others(world: FleetWorld) -> None:
    for index in range(20):
        world.join(f"m{index:02}")

    once, again = world.rollouts.plan(request_of("2")), world.rollouts.plan(request_of("2"))
    others = {world.rollouts.plan(replace(request_of("2"), seed=f"s{n}")).stages[0].nodes[0].node for n in range(9)}

    assert nodes_of(once) == nodes_of(again)
    assert len(others) > 1


def test_a_plan_stores_nothing_and_wakes_nobody(world: FleetWorld) -> None:
    world.woken.clear()

    world.rollouts.plan(request_of("2"))

    assert [view.version for view in world.rollouts.list()] == ["1"]
    assert (world.woken, set(world.desired_versions().values())) == ([], {"1"})


def test_a_plan_says_which_variant_each_node_gets_and_what_has_to_travel(world: FleetWorld) -> None:
    world.release("2", variant="int8", arch="aarch64")
    world.join("board", facts=BOARD)
    world.step(6)

    plan = world.rollouts.plan(request_of("2", ["100%"]))

    variants = {node.node: (node.variant, node.before) for node in plan.stages[0].nodes}
    assert variants == {"board": ("int8", "1"), "n1": ("fp32", "1"), "n2": ("fp32", "1"), "n3": ("fp32", "1")}
    assert plan.download_bytes == 4000


def test_what_a_node_has_already_does_not_travel(world: FleetWorld) -> None:
    assert world.rollouts.plan(request_of("1")).download_bytes == 0


def test_a_plan_names_those_that_fit_no_variant_and_those_that_go_first(world: FleetWorld) -> None:
    world.release("3", arch="x86_64")
    world.join("board", facts=BOARD)
    open_one = world.start("2")

    plan = world.rollouts.plan(request_of("3"))

    assert (plan.misfits, plan.ahead) == (["board"], [open_one.rollout_id])
    assert not any("board" in names for names in nodes_of(plan))


def test_a_plan_says_when_each_stage_can_be_at_the_earliest(world: FleetWorld) -> None:
    begin_s = world.now_s + 3600.0

    plan = world.rollouts.plan(replace(request_of("2"), starts_at_s=begin_s))

    first, second = (stage.earliest_at_s for stage in plan.stages)
    assert first == begin_s
    assert second == begin_s + PROBATION.probation_s + GATE.soak_s


def test_a_plan_counts_the_turns_within_a_stage(world: FleetWorld) -> None:
    plan = world.rollouts.plan(replace(request_of("2", ["100%"]), site_parallel_max=1))

    assert plan.stages[0].batches == 2
