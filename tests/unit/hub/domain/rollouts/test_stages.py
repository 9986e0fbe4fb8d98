"""Declared shares, and the nodes they mean."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.rollouts import stages
from ganglion.hub.domain.rollouts.stages import Place


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
    with pytest.raises(InvalidRequest, match=r"neither a share|lies above 0%"):
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


# --- stages that name their nodes -----------------------------------------------------------------


def fleet_of_classes() -> list[Place]:
    return [Place(f"n{index}", "north", "aarch64-4" if index % 2 else "x86_64-8") for index in range(10)]


def test_a_group_goes_first_and_shares_count_it() -> None:
    planned = stages.divide(
        "seed", stages.parse(["group:canary", "50%", "100%"]), fleet_of_classes(), groups={"canary": {"n3", "n4"}}
    )

    assert set(planned[0].node_ids) == {"n3", "n4"}
    assert [len(stage.node_ids) for stage in planned] == [2, 3, 5]


def test_a_class_is_a_stage_of_its_own() -> None:
    planned = stages.divide("seed", stages.parse(["class:aarch64-4", "100%"]), fleet_of_classes())

    assert set(planned[0].node_ids) == {f"n{index}" for index in (1, 3, 5, 7, 9)}


def test_a_share_that_a_named_stage_has_overtaken_adds_nobody() -> None:
    planned = stages.divide(
        "seed", stages.parse(["group:big", "10%", "100%"]), fleet_of_classes(), groups={"big": {"n1", "n2", "n3"}}
    )

    assert [stage.share for stage in planned] == ["group:big", "100%"]


@pytest.mark.parametrize("text", ["group:canary", "class:riscv-1"])
def test_a_name_that_means_no_node_of_the_rollout_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="means no node"):
        stages.divide("seed", stages.parse([text, "100%"]), fleet_of_classes(), groups={"canary": {"elsewhere"}})


@pytest.mark.parametrize("text", ["group:", "class:", "group:-x", "group:a b", "zone:x", "group:" + "x" * 65])
def test_a_name_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="neither a share"):
        stages.parse([text, "100%"])


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="stands there 2 times"):
        stages.parse(["group:canary", "group:canary", "100%"])


def test_a_name_in_between_does_not_hide_shares_that_shrink() -> None:
    with pytest.raises(InvalidRequest, match="cumulative"):
        stages.parse(["50%", "group:canary", "20%", "100%"])


def test_nodes_may_be_left_out_where_that_was_wanted() -> None:
    planned = stages.divide("seed", stages.parse(["10%", "50%"]), fleet_of_classes(), may_leave_out=True)

    assert [len(stage.node_ids) for stage in planned] == [1, 4]


# --- spreading ------------------------------------------------------------------------------------


def test_the_first_nodes_are_of_different_classes_even_within_one_site() -> None:
    fleet = [*(Place(f"big-{i}", "north", "x86_64-8") for i in range(50)), Place("small", "north", "armv7-2")]

    assert "small" in stages.order("seed", fleet)[:2]


def test_two_nodes_of_a_pair_are_in_different_stages_where_there_is_another_stage() -> None:
    fleet = [Place(f"n{index}", "north", pair=f"pair-{index // 2}") for index in range(20)]

    first, second = stages.divide("seed", stages.parse(["50%", "100%"]), fleet)

    pair_of = {place.node_id: place.pair for place in fleet}
    assert len({pair_of[node_id] for node_id in first.node_ids}) == len(first.node_ids) == 10
    assert len({pair_of[node_id] for node_id in second.node_ids}) == 10


def test_a_pair_shares_a_stage_when_there_is_nobody_else_to_fill_it() -> None:
    fleet = [Place("a", "north", pair="press"), Place("b", "north", pair="press")]

    assert [len(stage.node_ids) for stage in stages.divide("seed", stages.parse(["100%"]), fleet)] == [2]
