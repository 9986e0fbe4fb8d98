"""Who is in touch, who is silent, and whom people should look at first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.hub.services.nodes.fleet_states import WORST_FIRST, FleetPicture, FleetStates
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import NodeTerm
from unit.hub.services.fleets import FleetAtHand

SILENT_AFTER_S = 60.0


@pytest.fixture
def fleet() -> FleetAtHand:
    made = FleetAtHand()
    now_s = utc_s(made.clock)
    made.add("a-fresh", last_seen_at_s=now_s)
    made.add("b-waits", last_seen_at_s=now_s - 90.0)
    made.add("c-silent", last_seen_at_s=now_s - 90.0, labels={"line": "3"})
    made.add("d-never", last_seen_at_s=None)
    made.add("e-out", last_seen_at_s=now_s, quarantined_at_s=1.0, labels={"line": "3"})
    made.add("f-gone", last_seen_at_s=None, retired_at_s=1.0)
    made.add("g-lost", last_seen_at_s=now_s, revoked_at_s=1.0)
    return made


def states(fleet: FleetAtHand) -> FleetStates:
    """Return the service of a hub at which one node waits for an answer."""
    now_s = utc_s(fleet.clock)
    return FleetStates(
        control=fleet.control,
        clock=fleet.clock,
        silent_after_s=SILENT_AFTER_S,
        last_seen_at_s=lambda node: now_s if node.name == "b-waits" else node.last_seen_at_s,
    )


def test_the_worst_come_first_and_everybody_is_counted(fleet: FleetAtHand) -> None:
    picture = states(fleet).picture(None, most=4)

    assert picture.names == ["e-out", "c-silent", "d-never", "a-fresh"]
    assert picture.counts == {"quarantined": 1, "silent": 2, "fresh": 2, "retired": 1, "revoked": 1}


def test_with_room_for_all_those_out_of_service_come_last(fleet: FleetAtHand) -> None:
    picture = states(fleet).picture(None, most=100)

    assert picture.names == ["e-out", "c-silent", "d-never", "a-fresh", "b-waits", "f-gone", "g-lost"]


def test_of_a_group_its_nodes_alone_are_counted(fleet: FleetAtHand) -> None:
    picture = states(fleet).picture(lambda _: (((NodeTerm("line", ("3",)),),),), most=4)

    assert picture.names == ["e-out", "c-silent"]
    assert picture.counts == {"quarantined": 1, "silent": 1, "fresh": 0, "retired": 0, "revoked": 0}


@given(ages_s=st.lists(st.sampled_from([0.0, 59.0, 61.0, 900.0, None]), max_size=12), most=st.integers(1, 13))
def test_the_picture_is_that_of_looking_at_every_node(ages_s: list[float | None], most: int) -> None:
    fleet = FleetAtHand()
    now_s = utc_s(fleet.clock)
    for number, age_s in enumerate(ages_s):
        fleet.add(
            f"n{number:02}",
            last_seen_at_s=None if age_s is None else now_s - age_s,
            quarantined_at_s=1.0 if number % 7 == 0 else None,
            retired_at_s=1.0 if number % 7 == 1 else None,
            revoked_at_s=1.0 if number % 7 == 2 else None,
        )

    picture = states(fleet).picture(None, most=most)

    assert picture == looked_at_every_node(fleet, now_s, most)


def looked_at_every_node(fleet: FleetAtHand, now_s: float, most: int) -> FleetPicture:
    found: dict[str, list[str]] = {state: [] for state in WORST_FIRST}
    with fleet.control.read() as tx:
        for row in tx.nodes():
            is_fresh = now_s - (row.last_seen_at_s or 0.0) <= SILENT_AFTER_S
            in_service = standing_of(row) in {Standing.PENDING, Standing.ACTIVE}
            found[("fresh" if is_fresh else "silent") if in_service else standing_of(row).value].append(row.name)
    names = [name for state in WORST_FIRST for name in found[state]]
    return FleetPicture({state: len(found[state]) for state in WORST_FIRST}, names[:most])
