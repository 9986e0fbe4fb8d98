"""Groups, sites and zones."""

import pytest

from ganglion.core.errors import InvalidName, InvalidRequest, NotFound
from ganglion.hub.services.organisation import groups
from ganglion.wire.fleet_resources import GroupDefinition, SiteDefinition, ZoneDefinition
from unit.hub.services.fleets import FleetAtHand


@pytest.fixture
def fleet() -> FleetAtHand:
    made = FleetAtHand()
    made.add("gate-1", labels={"line": "3"})
    made.add("gate-2", site="faro", labels={"line": "4"})
    made.add("gate-3", labels={"line": "3"}, revoked_at_s=5.0)
    return made


def test_a_dynamic_group_is_whoever_meets_its_selector_at_the_moment(fleet: FleetAtHand) -> None:
    fleet.places.put_group("line-3", GroupDefinition(select="line=3"), actor="ana")
    fleet.act("label", nodes=["gate-2"], labels={"line": "3"})

    assert fleet.places.group("line-3").members == ["gate-1", "gate-2"]


def test_a_group_of_a_selector_and_names_has_the_nodes_of_both(fleet: FleetAtHand) -> None:
    view = fleet.places.put_group("mixed", GroupDefinition(select="line=3", nodes=["gate-2"]), actor="ana")

    assert (view.members, view.count) == (["gate-1", "gate-2"], 2)


def test_a_node_that_is_not_enrolled_yet_can_be_named(fleet: FleetAtHand) -> None:
    fleet.places.put_group("soon", GroupDefinition(nodes=["gate-9"]), actor="ana")

    fleet.add("gate-9")

    assert fleet.places.group("soon").members == ["gate-9"]


def test_whoever_enters_or_leaves_a_group_asks_anew(fleet: FleetAtHand) -> None:
    fleet.places.put_group("one", GroupDefinition(nodes=["gate-1"]), actor="ana")
    fleet.woken.clear()

    fleet.places.put_group("one", GroupDefinition(nodes=["gate-2"]), actor="ana")

    assert sorted(fleet.woken) == ["id-gate-1", "id-gate-2"]


def test_saying_the_same_again_changes_nothing(fleet: FleetAtHand) -> None:
    for _ in range(2):
        fleet.places.put_group("one", GroupDefinition(nodes=["gate-1"]), actor="ana")
        fleet.places.put_site("porto", SiteDefinition(time_zone="Europe/Lisbon"), actor="ana")

    assert (fleet.audited("group.declared"), fleet.audited("site.declared")) == (["one"], ["porto"])
    assert sorted(fleet.woken) == ["id-gate-1", "id-gate-1", "id-gate-3"]


def test_a_group_that_is_forgotten_has_nobody(fleet: FleetAtHand) -> None:
    fleet.places.put_group("one", GroupDefinition(nodes=["gate-1"]), actor="ana")

    fleet.places.remove_group("one", actor="ana")

    with pytest.raises(NotFound), fleet.control.read() as tx:
        groups.members(tx, "one")


def test_sites_are_listed_whether_declared_or_used(fleet: FleetAtHand) -> None:
    fleet.places.put_site("braga", SiteDefinition(description="to come"), actor="ana")

    told = [(site.name, site.declared, site.nodes) for site in fleet.places.sites()]

    assert told == [("braga", True, 0), ("faro", False, 1), ("porto", False, 1)]


def test_a_site_that_is_forgotten_still_has_its_nodes(fleet: FleetAtHand) -> None:
    fleet.places.put_site("porto", SiteDefinition(description="plant"), actor="ana")

    fleet.places.remove_site("porto", actor="ana")

    assert fleet.places.site("porto").nodes == 1
    with pytest.raises(NotFound):
        fleet.places.remove_site("porto", actor="ana")


def test_a_zone_has_a_description(fleet: FleetAtHand) -> None:
    view = fleet.places.put_zone("default", ZoneDefinition(description="without visitors"), actor="ana")

    assert (view.description, view.nodes) == ("without visitors", 2)


@pytest.mark.parametrize(
    "group", [GroupDefinition(), GroupDefinition(select="=="), GroupDefinition(select="", description="two\nlines")]
)
def test_a_group_that_nobody_could_be_in_is_refused(fleet: FleetAtHand, group: GroupDefinition) -> None:
    with pytest.raises(InvalidRequest):
        fleet.places.put_group("bad", group, actor="ana")


@pytest.mark.parametrize(
    "site",
    [SiteDefinition(time_zone="Mars/Olympus"), SiteDefinition(time_zone="../etc"), SiteDefinition(bytes_per_s_max=-1)],
)
def test_a_site_that_cannot_be_is_refused(fleet: FleetAtHand, site: SiteDefinition) -> None:
    with pytest.raises(InvalidRequest):
        fleet.places.put_site("porto", site, actor="ana")


def test_a_name_that_is_none_is_refused(fleet: FleetAtHand) -> None:
    with pytest.raises(InvalidName):
        fleet.places.put_group("../x", GroupDefinition(select=""), actor="ana")
