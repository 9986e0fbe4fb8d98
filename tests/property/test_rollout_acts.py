"""Laws of what people do to a rollout: the same act twice is once, whatever was done before it."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.core.errors import Conflict
from ganglion.core.identity_errors import Forbidden
from ganglion.testing.fleet_laws import check_everybody_returned, versions
from ganglion.testing.fleet_world import GATE, FleetWorld, request_of
from ganglion.wire.rollout_resources import RolloutView

LAW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ACTS = ("pause", "resume", "abort", "promote", "approve", "skip", "retry")
PLANS = st.lists(st.sampled_from([*ACTS, "step", "step", "silence", "return", "restart"]), max_size=14)
STAGES = st.sampled_from([["100%"], ["1", "100%"], ["34%", "67%", "100%"]])
REQUESTS = st.tuples(STAGES, st.integers(0, 2), st.integers(0, 2), st.booleans())


def begun(stages: list[str], approvals: int, parallel: int, is_paired: bool) -> tuple[FleetWorld, str]:  # noqa: FBT001 - drawn
    world = FleetWorld()
    for index in range(6):
        labels = {"ha_pair": f"p{index // 2}"} if is_paired else {}
        world.join(f"n{index}", site=("north", "south")[index % 2], labels=labels)
    world.release("1")
    world.finish(world.start("1", ["100%"]))
    world.release("2")
    request = request_of("2", stages, gate=replace(GATE, soak_s=10.0, reports_min_share=0.5))
    request = replace(request, approvals=approvals, site_parallel_max=parallel)
    return world, world.rollouts.start(request, actor="ada").rollout_id


def act(world: FleetWorld, rollout_id: str, name: str) -> Callable[[], RolloutView | str]:
    """Return the act with everything that it means fixed, as a client that repeats a lost call does."""
    rollouts, stage = world.rollouts, world.rollouts.get(rollout_id).stage

    def once() -> RolloutView | str:
        try:
            if name == "promote":
                return rollouts.promote(rollout_id, actor="bob", reason="a whim", stage=stage)
            if name == "approve":
                return rollouts.approve(rollout_id, actor="bob", reason="a whim", stage=stage)
            order: Callable[..., RolloutView] = getattr(rollouts, name)
            return order(rollout_id, actor="bob", reason="a whim")
        except (Conflict, Forbidden) as error:
            return error.message

    return once


def happen(world: FleetWorld, name: str) -> None:
    match name:
        case "step":
            world.step(2)
        case "silence":
            world.nodes["n0"].online = False
        case "return":
            world.nodes["n0"].online = True
        case _:
            world.restarted_hub()


@LAW
@given(REQUESTS, PLANS)
def test_an_act_that_is_repeated_at_once_changes_nothing_more(
    request: tuple[list[str], int, int, bool], plan: list[str]
) -> None:
    world, rollout_id = begun(*request)

    for name in plan:
        if name not in ACTS:
            happen(world, name)
            continue
        ordered = act(world, rollout_id, name)
        first, wishes = ordered(), world.desired_versions()
        second = ordered()
        assert second == first, f"{name} twice is not {name} once"
        assert world.desired_versions() == wishes


@LAW
@given(REQUESTS, PLANS)
def test_whatever_is_done_nobody_is_in_two_stages_and_an_abort_brings_everybody_back(
    request: tuple[list[str], int, int, bool], plan: list[str]
) -> None:
    world, rollout_id = begun(*request)
    before = versions(world)

    for name in plan:
        (act(world, rollout_id, name) if name in ACTS else lambda name=name: happen(world, name))()
        view = world.rollouts.get(rollout_id)
        names = [node for stage in view.stages for node in stage.nodes]
        assert sorted(names) == sorted(before)
        started = {node for stage in view.stages if stage.started_at_s is not None for node in stage.nodes}
        wished = {node for node, version in world.desired_versions().items() if version == "2"}
        assert wished <= started or view.state == "completed"

    if world.rollouts.get(rollout_id).state != "completed":
        world.rollouts.abort(rollout_id, actor="ada")
        world.settle(steps=6)
        check_everybody_returned(world, before)
        found = world.rollouts.get(rollout_id).revert
        assert found is None or found.returned == len(found.nodes)
