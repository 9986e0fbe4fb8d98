"""Declared shares, and the nodes they mean."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain import stages
from ganglion.hub.domain.stages import Place


def places(*sites: tuple[str, int]) -> list[Place]:
    return [Place(f"{site}-{index}", site) for site, count in sites for index in range(count)]


def sizes(texts: list[str], nodes: int) -> list[int]:
    planned = stages.divide("rollout", stages.parse(texts), places(("north", nodes)))
    return [len(stage.node_ids) for stage in planned]


def test_shares_are_cumulative_and_round_down() -> None:
    assert sizes(["34%", "100%"], 3) == [1, 2]
    assert sizes(["10%", "40%", "100%"], 1000) == [100, 300, 600]


def test_a_share_means_at_least_one_node() -> None:
    assert sizes(["5%", "100%"], 3) == [1, 2]


def test_a_share_is_taken_exactly_where_floating_point_would_lose_a_node() -> None:
    assert sizes(["29%", "100%"], 100) == [29, 71]


def test_numbers_of_nodes_mix_with_shares() -> None:
    assert sizes(["1", "50%", "100%"], 10) == [1, 4, 5]


def test_a_stage_that_would_add_no_node_of_a_small_fleet_is_left_out() -> None:
    planned = stages.divide("rollout", stages.parse(["5%", "25%", "100%"]), places(("north", 3)))

    assert [(stage.share, len(stage.node_ids)) for stage in planned] == [("5%", 1), ("100%", 2)]


@pytest.mark.parametrize("text", ["", "0%", "101%", "-5%", "0", "5.12345%", "x", "1e3", "NaN%", "٣٤%", "5%%", " 5%"])
def test_what_is_neither_share_nor_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="neither a share"):
        stages.parse([text, "100%"])


@pytest.mark.parametrize("texts", [["50%", "50%"], ["60%", "50%", "100%"], ["3", "2", "100%"]])
def test_stages_that_do_not_grow_are_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="cumulative"):
        stages.parse(texts)


def test_a_number_below_the_share_before_it_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="means 2 of 10 nodes, the one before it 5"):
        sizes(["50%", "2", "100%"], 10)


def test_a_last_stage_that_leaves_nodes_out_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="covers 5 of 10 nodes: end with '100%'"):
        sizes(["10%", "50%"], 10)


def test_no_stage_at_all_and_too_many_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="0 stages"):
        stages.parse([])
    with pytest.raises(InvalidRequest, match="101 stages"):
        stages.parse([str(count) for count in range(1, 102)])


def test_the_first_stages_do_not_sit_in_one_site() -> None:
    fleet = places(("north", 50), ("south", 5), ("west", 5))

    first = stages.order("rollout", fleet)[:6]

    assert sorted(node_id.split("-")[0] for node_id in first) == ["north"] * 2 + ["south"] * 2 + ["west"] * 2


def test_another_rollout_begins_with_other_nodes() -> None:
    fleet = places(("north", 100))

    firsts = {stages.order(f"rollout-{index}", fleet)[0] for index in range(30)}

    assert len(firsts) > 15
