"""Within a stage: few at a time in a site, one of a pair at a time, and what a site may bring."""

from collections import Counter
from dataclasses import replace

import pytest

from ganglion.hub.services.organisation.places import Author, put_site
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import GATE, FleetWorld, request_of
from ganglion.wire.fleet_resources import SiteDefinition
from ganglion.wire.rollout_resources import RolloutRequest, RolloutView


def fleet(nodes: int, *, pairs: bool = False) -> FleetWorld:
    world = FleetWorld()
    for index in range(nodes):
        labels = {"ha_pair": f"line-{index // 2}"} if pairs else {}
        world.join(f"n{index:02}", site=("north", "south")[index % 2], labels=labels)
    world.release("1")
    world.finish(world.start("1", ["100%"]))
    world.release("2")
    return world


def start(world: FleetWorld, request: RolloutRequest) -> RolloutView:
    return world.rollouts.start(request, actor="ada")


def in_the_air(world: FleetWorld) -> list[str]:
    return [name for name, node in world.nodes.items() if node.update is not None]


def test_in_each_site_no_more_than_declared_take_it_at_the_same_time() -> None:
    world = fleet(20)
    view = start(world, replace(request_of("2", ["100%"]), site_parallel_max=3))
    most: Counter[str] = Counter()

    for _ in range(60):
        world.step()
        flying = Counter(world.nodes[name].site for name in in_the_air(world))
        wished = Counter(
            world.nodes[name].site for name, wish in world.desired_versions().items() if wish != versions(world)[name]
        )
        most |= flying | wished
        if world.rollouts.get(view.rollout_id).state == "completed":
            break

    assert world.rollouts.get(view.rollout_id).state == "completed"
    assert set(versions(world).values()) == {"2"}
    assert max(most.values()) <= 3


def test_two_nodes_of_a_pair_never_try_it_at_the_same_time() -> None:
    world = fleet(12, pairs=True)
    view = start(world, request_of("2", ["100%"]))

    for _ in range(60):
        world.step()
        wished = [name for name, wish in world.desired_versions().items() if wish != versions(world)[name]]
        pairs = Counter(int(name[1:]) // 2 for name in wished)
        assert max(pairs.values(), default=0) <= 1, f"both nodes of a pair were given it: {wished}"
        if world.rollouts.get(view.rollout_id).state == "completed":
            break

    assert set(versions(world).values()) == {"2"}


def test_a_pair_is_split_over_two_stages() -> None:
    world = fleet(12, pairs=True)

    first, second = start(world, request_of("2", ["50%", "100%"])).stages

    assert (
        {int(name[1:]) // 2 for name in first.nodes} == set(range(6)) == {int(name[1:]) // 2 for name in second.nodes}
    )


def test_nobody_else_is_given_the_version_while_it_is_paused() -> None:
    world = fleet(8)
    view = start(world, replace(request_of("2", ["100%"]), site_parallel_max=1))
    world.rollouts.pause(view.rollout_id, actor="ada")

    world.step(20)
    held = list(world.desired_versions().values()).count("2")
    world.rollouts.resume(view.rollout_id, actor="ada")

    assert held == 2
    assert world.finish(view).state == "completed"


def test_a_hub_that_was_killed_goes_on_with_the_next_turn() -> None:
    world = fleet(10)
    view = start(world, replace(request_of("2", ["100%"]), site_parallel_max=1))

    for _ in range(60):
        world.restarted_hub()
        world.step()

    assert world.rollouts.get(view.rollout_id).state == "completed"


def test_a_bad_version_has_reached_only_the_first_turn_when_it_is_stopped() -> None:
    world = fleet(20)
    world.habits["2"] = Habit(errors=0.5)

    view = world.finish(start(world, replace(request_of("2", ["100%"]), site_parallel_max=1)))
    world.step(3)

    assert view.state == "aborted"
    assert view.given < 20
    assert set(versions(world).values()) == {"1"}


def test_who_waits_for_a_turn_is_counted() -> None:
    world = fleet(6)

    view = start(world, replace(request_of("2", ["100%"]), site_parallel_max=1))

    assert (view.given, view.held_back) == (2, 4)


@pytest.mark.parametrize(("parallel", "share"), [(0, 200), (2, 500)])
def test_a_sites_bandwidth_is_divided_among_those_that_bring_it(parallel: int, share: int) -> None:
    world = fleet(10)

    start(world, replace(request_of("2", ["100%"]), site_bytes_per_s_max=1000, site_parallel_max=parallel))

    wishes = [world.desired.state_of(node.node_id).assignments[0] for node in world.nodes.values()]
    assert {wish.policy.download_bytes_per_s_max for wish in wishes if wish.version == "2"} == {share}


@pytest.mark.parametrize(("asked", "north", "south"), [(0, 120, 0), (500, 100, 100), (900, 120, 180)])
def test_a_declared_site_limits_what_its_nodes_bring(asked: int, north: int, south: int) -> None:
    world = fleet(10)
    with world.control.write() as tx:
        put_site(tx, "north", SiteDefinition(bytes_per_s_max=600), by=Author(world.clock, "ada"))

    start(world, replace(request_of("2", ["100%"]), site_bytes_per_s_max=asked))

    wishes = {node.site: world.desired.state_of(node.node_id).assignments[0] for node in world.nodes.values()}
    brought = {site: wish.policy.download_bytes_per_s_max for site, wish in wishes.items()}
    assert brought == {"north": north, "south": south}


def test_windows_are_handed_to_the_nodes() -> None:
    world = fleet(2)

    start(world, replace(request_of("2", ["100%"]), windows=["mon-fri 22:00-05:00"]))

    wish = world.desired.state_of("id-n00").assignments[0]
    assert wish.policy.install_windows == ("mon-fri 22:00-05:00",)


def test_silent_nodes_that_keep_others_from_their_turn_are_brought_before_a_person() -> None:
    world = fleet(4)
    patient = replace(GATE, reports_min_share=0.25)
    view = start(world, replace(request_of("2", ["100%"], gate=patient), site_parallel_max=1))
    silent = next(name for name, wish in world.desired_versions().items() if wish == "2")
    world.nodes[silent].online = False

    world.step(10)
    waiting = world.rollouts.get(view.rollout_id)
    world.clock.advance(GATE.deadline_s)
    world.step()
    asked = world.rollouts.get(view.rollout_id)
    world.rollouts.skip(view.rollout_id, actor="ada", reason="it is at sea")
    world.rollouts.resume(view.rollout_id, actor="ada")

    assert (waiting.state, waiting.held_back) == ("running", 1)
    assert asked.state == "paused"
    assert world.finish(view).state == "completed"
