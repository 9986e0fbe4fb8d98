"""Which nodes are in which arm."""

from collections import Counter

import pytest

from ganglion.core.errors import Conflict
from ganglion.hub.domain.experiments.arms import divide, without_partners
from ganglion.hub.domain.rollouts.stages import Place


def places(count: int, *, node_class: str = "x86_64-4", start: int = 0) -> list[Place]:
    return [Place(f"id-{number}", "porto", node_class) for number in range(start, start + count)]


def test_shares_are_honoured_to_one_node() -> None:
    arms = divide("seed", [0.5, 0.3, 0.2], places(101))

    assert [len(arm) for arm in arms] == [51, 30, 20]


def test_every_class_is_in_every_arm_by_its_share() -> None:
    fast, slow = places(40), places(20, node_class="armv7-1", start=40)

    arms = divide("seed", [0.5, 0.5], fast + slow)

    slow_ids = {place.node_id for place in slow}
    assert [len(slow_ids.intersection(arm)) for arm in arms] == [10, 10]


def test_the_arms_do_not_depend_on_the_order_of_the_nodes_and_do_on_the_seed() -> None:
    nodes = places(30)

    first = divide("seed", [0.5, 0.5], nodes)

    assert divide("seed", [0.5, 0.5], nodes[::-1]) == first
    assert divide("another", [0.5, 0.5], nodes) != first


def test_an_arm_without_a_node_is_refused() -> None:
    with pytest.raises(Conflict, match="2 nodes can take part, and one arm of 3 would have none"):
        divide("seed", [0.4, 0.3, 0.3], places(2))
    with pytest.raises(Conflict):
        divide("seed", [0.5, 0.5], [])


def test_of_two_nodes_that_stand_in_for_each_other_one_takes_part() -> None:
    pair = [Place("id-1", "porto", pair="press"), Place("id-2", "porto", pair="press")]
    alone = [Place("id-3", "porto"), Place("id-4", "porto")]

    taken, second = without_partners("seed", [*pair, *alone])

    assert Counter(place.pair for place in taken) == {"press": 1, "": 2}
    assert [place.pair for place in second] == ["press"]
