"""Who takes part in a large rollout, read a part at a time."""

from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.evidence.roster import Roster, Rosters, Sizes
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.testing.fleet_world import FleetWorld, serving_fleet

PARTS = Sizes(fleet_nodes=0, sights_at_once=1, reports_at_once=1, refreshed_s=300.0)
"""Any fleet is a large one, and each part is as small as can be."""


def a_rollout(world: FleetWorld) -> Rollout:
    world.release("2")
    view = world.start("2", ["1", "100%"])
    with world.control.read() as tx:
        return rollout_rows.load(tx, view.rollout_id)


def read_by_parts(rosters: Rosters, rollout: Rollout, now_s: float) -> tuple[Roster, int]:
    calls = 1
    while (roster := rosters.so_far(rollout, now_s=now_s, steps=1)) is None:
        calls += 1
    return roster, calls


def test_a_roster_that_is_read_by_parts_is_the_one_that_is_read_at_once() -> None:
    world = serving_fleet()
    rollout = a_rollout(world)

    roster, calls = read_by_parts(Rosters(world.control, PARTS), rollout, world.now_s)

    assert calls > len(world.nodes)
    assert roster == Rosters(world.control).of(rollout, now_s=world.now_s)


def test_a_small_fleet_is_read_at_once_whatever_the_steps() -> None:
    world = serving_fleet()
    rollout = a_rollout(world)

    roster = Rosters(world.control).so_far(rollout, now_s=world.now_s, steps=1)

    assert roster is not None
    assert set(roster.members) == set(rollout.previous)


def test_an_old_roster_is_what_is_known_until_all_parts_of_the_next_one_are_read() -> None:
    world = serving_fleet()
    rollout, rosters = a_rollout(world), Rosters(world.control, PARTS)
    first = rosters.of(rollout, now_s=world.now_s)
    world.join("late")
    later_s = world.now_s + PARTS.refreshed_s

    fleets = [rosters.of(rollout, now_s=later_s).fleet for _ in range(20)]

    assert fleets == sorted(fleets)
    assert (fleets[0], fleets[-1]) == (first.fleet, first.fleet + 1)


def test_a_roster_that_is_half_read_when_the_next_stage_begins_is_begun_anew() -> None:
    world = serving_fleet()
    rollout, rosters = a_rollout(world), Rosters(world.control, PARTS)
    assert rosters.so_far(rollout, now_s=world.now_s, steps=2) is None
    world.rollouts.promote(rollout.rollout_id, actor="ada")
    with world.control.read() as tx:
        promoted = rollout_rows.load(tx, rollout.rollout_id)

    roster, _ = read_by_parts(rosters, promoted, world.now_s)

    assert roster == Rosters(world.control).of(promoted, now_s=world.now_s)
    assert roster.stage == 1
