"""The fleet as a list that people keep."""

import pytest

from ganglion.core.errors import InvalidRequest, Rejected
from ganglion.hub.services.organisation.node_search import node_query
from ganglion.wire.fleet_resources import (
    FleetImport,
    FleetList,
    FleetNode,
    GroupDefinition,
    SiteDefinition,
    ZoneDefinition,
)
from unit.hub.services.fleets import FleetAtHand


@pytest.fixture
def fleet() -> FleetAtHand:
    made = FleetAtHand()
    made.add("gate-1", labels={"line": "3"})
    made.add("gate-2", labels={"line": "4"})
    made.places.put_group("line-3", GroupDefinition(select="line=3"), actor="ana")
    made.places.put_site("porto", SiteDefinition(description="plant"), actor="ana")
    return made


def export(fleet: FleetAtHand) -> FleetList:
    return fleet.lists.export(node_query(), None)


def test_what_was_exported_changes_nothing_when_it_comes_back(fleet: FleetAtHand) -> None:
    reply = fleet.lists.take(FleetImport(fleet=export(fleet)), actor="ana")

    assert (reply.labelled, reply.declared, reply.unknown) == ([], [], [])
    assert fleet.audited("node.labelled") == []


def test_a_list_gives_nodes_exactly_its_labels(fleet: FleetAtHand) -> None:
    wanted = FleetList(nodes=[FleetNode(name="gate-1", site="porto", labels={"canary": "yes"})])

    reply = fleet.lists.take(FleetImport(fleet=wanted), actor="ana")

    assert (reply.labelled, fleet.labels("gate-1"), fleet.labels("gate-2")) == (
        ["gate-1"],
        {"canary": "yes"},
        {"line": "4"},
    )


def test_a_fleet_is_rebuilt_from_its_list(fleet: FleetAtHand) -> None:
    kept, other = export(fleet), FleetAtHand()
    other.add("gate-1")
    other.add("gate-2")

    other.lists.take(FleetImport(fleet=kept), actor="ana")

    assert export(other) == kept


def test_a_dry_run_tells_and_does_nothing(fleet: FleetAtHand) -> None:
    wanted = FleetList(
        nodes=[FleetNode(name="gate-1", site="porto"), FleetNode(name="gate-7")],
        groups={"new": GroupDefinition(select="")},
    )

    reply = fleet.lists.take(FleetImport(fleet=wanted, dry_run=True), actor="ana")

    assert (reply.labelled, reply.declared, reply.unknown) == (["gate-1"], ["group new"], ["gate-7"])
    assert fleet.labels("gate-1") == {"line": "3"}


def test_a_node_that_stands_elsewhere_stops_the_whole_list(fleet: FleetAtHand) -> None:
    wanted = FleetList(
        nodes=[FleetNode(name="gate-1", site="porto"), FleetNode(name="gate-2", site="faro")],
        groups={"new": GroupDefinition(select="")},
    )

    with pytest.raises(InvalidRequest, match=r"gate-2 \(porto, default\)"):
        fleet.lists.take(FleetImport(fleet=wanted), actor="ana")

    assert fleet.labels("gate-1") == {"line": "3"}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (FleetList(nodes=[FleetNode(name="gate-1", site="porto", labels={"line": each}) for each in "56"]), "2 times"),
        (FleetList(sites={"faro": SiteDefinition(time_zone="Mars/Olympus")}), "no time zone"),
        (FleetList(zones={"../x": ZoneDefinition()}), "cannot name a zone"),
    ],
)
def test_what_cannot_be_taken_in_is_told_by_a_dry_run_too(fleet: FleetAtHand, wanted: FleetList, told: str) -> None:
    for dry_run in (True, False):
        with pytest.raises(Rejected, match=told):
            fleet.lists.take(FleetImport(fleet=wanted, dry_run=dry_run), actor="ana")

    assert fleet.labels("gate-1") == {"line": "3"}


def test_a_list_holds_nothing_that_proves_anything(fleet: FleetAtHand) -> None:
    fleet.add("gate-3", public_key="ab" * 32, measured=b'{"image":"x"}')

    text = str(export(fleet))

    assert "ab" * 32 not in text
    assert set(FleetNode.__slots__) == {"name", "site", "zone", "labels", "state", "node_class"}
