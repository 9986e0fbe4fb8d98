"""Which nodes speak for a large stage."""

from ganglion.hub.services.evidence.roster import Member
from ganglion.hub.services.evidence.sample import spread


def members(site: str, count: int, node_class: str = "x86_64-4") -> list[Member]:
    return [Member(f"{site}-{number}", f"{site}-{number}", node_class, site, 0.0) for number in range(count)]


def test_of_few_nodes_all_speak() -> None:
    everybody = [*members("north", 3), *members("south", 2)]

    assert sorted(member.name for member in spread(everybody, "r1", limit=5)) == sorted(m.name for m in everybody)


def test_of_many_nodes_as_many_of_each_class_and_site_as_there_can_be() -> None:
    everybody = [*members("north", 1000), *members("south", 10), *members("west", 2), *members("west", 50, "board")]

    chosen = spread(everybody, "r1", limit=40)

    count = {
        (m.site, m.node_class): sum((c.site, c.node_class) == (m.site, m.node_class) for c in chosen) for m in chosen
    }
    assert len(chosen) == 40
    assert count["west", "x86_64-4"] == 2
    assert count["south", "x86_64-4"] == 10
    assert count["north", "x86_64-4"] >= 12
    assert count["west", "board"] >= 12


def test_the_same_nodes_speak_at_every_look_and_others_for_another_rollout() -> None:
    everybody = members("north", 500)

    first = spread(everybody, "r1", limit=50)

    assert spread([*reversed(everybody)], "r1", limit=50) == first
    assert spread(everybody, "r2", limit=50) != first


def test_a_node_that_joins_displaces_one_at_most() -> None:
    everybody = members("north", 500)
    before = {member.name for member in spread(everybody, "r1", limit=50)}

    after = {member.name for member in spread([*everybody, *members("north", 501)[500:]], "r1", limit=50)}

    assert len(before - after) <= 1
