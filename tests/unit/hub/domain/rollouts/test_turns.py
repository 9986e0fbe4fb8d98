"""Who is given the version now."""

import msgspec
import pytest

from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import turns
from ganglion.hub.domain.rollouts.document import Rollout, Stage, Terms
from ganglion.hub.domain.rollouts.stages import Place
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

NOW_S = 1000.0


def rollout_of(*node_ids: str, terms: Terms | None = None) -> Rollout:
    return Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=(Stage(share="100%", node_ids=node_ids, started_at_s=NOW_S),),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        terms=terms or Terms(),
        created_at_s=NOW_S,
        updated_at_s=NOW_S,
    )


def places(**sites: str) -> dict[str, Place]:
    return {node_id: Place(node_id, site) for node_id, site in sites.items()}


def given(rollout: Rollout, *node_ids: str) -> Rollout:
    return documents.with_given(rollout, node_ids, now_s=NOW_S)


def test_without_limits_a_whole_stage_is_due() -> None:
    turn = turns.turn(rollout_of("a", "b"), places(a="north", b="north"))

    assert turn == turns.Turn(("a", "b"), ())


def test_in_one_site_no_more_are_in_the_air_than_allowed_and_other_sites_do_not_wait_for_it() -> None:
    rollout = rollout_of("a", "b", "c", terms=Terms(site_parallel_max=1))

    turn = turns.turn(rollout, places(a="north", b="north", c="south"))

    assert turn == turns.Turn(("a", "c"), ("b",))


def test_when_one_has_landed_the_next_one_of_its_site_is_due() -> None:
    rollout = given(rollout_of("a", "b", terms=Terms(site_parallel_max=1)), "a")
    where = places(a="north", b="north")

    held = turns.turn(rollout, where)
    committed = turns.turn(documents.with_committed(rollout, ["a"], now_s=NOW_S), where)
    failed = turns.turn(documents.with_rolled_back(rollout, ["a"], now_s=NOW_S), where)

    assert (held.due, held.waiting) == ((), ("b",))
    assert committed.due == failed.due == ("b",)


def test_two_nodes_of_a_pair_are_never_in_the_air_together() -> None:
    pair = {"a": Place("a", "north", pair="press"), "b": Place("b", "south", pair="press")}
    rollout = rollout_of("a", "b")

    first = turns.turn(rollout, pair)
    second = turns.turn(given(rollout, *first.due), pair)

    assert (first.due, second.due, second.waiting) == (("a",), (), ("b",))


def test_nodes_without_a_pair_are_no_pair() -> None:
    assert turns.turn(rollout_of("a", "b", "c"), places(a="x", b="x", c="x")).waiting == ()


def test_a_node_that_was_left_behind_keeps_nobody_waiting() -> None:
    rollout = given(rollout_of("a", "b", terms=Terms(site_parallel_max=1)), "a")
    behind = msgspec.structs.replace(rollout, left_behind={"a": NOW_S})

    assert turns.turn(behind, places(a="north", b="north")).due == ("b",)


def test_a_node_that_left_the_fleet_is_neither_due_nor_in_the_way() -> None:
    rollout = given(rollout_of("a", "b", "c", terms=Terms(site_parallel_max=1)), "a")

    turn = turns.turn(rollout, places(b="north"))

    assert turn == turns.Turn(("b",), ())


def test_those_in_the_air_are_counted_by_site() -> None:
    rollout = given(rollout_of("a", "b", "c", "d", "gone"), "a", "b", "c", "gone")

    assert turns.flying_by_site(rollout, places(a="north", b="north", c="south", d="south")) == {"north": 2, "south": 1}


def test_the_bandwidth_of_a_site_is_shared_by_those_in_the_air_there() -> None:
    rollout = rollout_of("a", terms=Terms(site_bytes_per_s_max=1000))

    assert turns.download_share(rollout, flying=2) == 500
    assert turns.download_share(rollout, flying=0) == 1000


def test_with_a_fixed_number_at_a_time_the_share_is_fixed() -> None:
    terms = Terms(site_bytes_per_s_max=1000, site_parallel_max=4)

    assert turns.download_share(rollout_of("a", terms=terms), flying=1) == 250


@pytest.mark.parametrize(("asked", "own", "share"), [(0, 600, 300), (1000, 600, 300), (400, 600, 200), (400, 0, 200)])
def test_of_the_rollouts_limit_and_the_sites_own_the_lower_one_holds(asked: int, own: int, share: int) -> None:
    rollout = rollout_of("a", terms=Terms(site_bytes_per_s_max=asked))

    assert turns.download_share(rollout, flying=2, site_bytes_per_s_max=own) == share


def test_a_share_is_never_nothing_for_nothing_means_no_limit() -> None:
    terms = Terms(site_bytes_per_s_max=1, site_parallel_max=4)

    assert turns.download_share(rollout_of("a", terms=terms), flying=1) == 1
    assert turns.download_share(rollout_of("a"), flying=1) == 0
