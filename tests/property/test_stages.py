"""Laws of dividing a fleet into stages."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.hub.domain.rollouts import stages
from ganglion.hub.domain.rollouts.stages import Place

LAW = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""The same examples in every run, however busy the machine is."""
FLEETS = st.lists(st.sampled_from(["north", "south", "west"]), min_size=1, max_size=60).map(
    lambda sites: [Place(f"node-{index}", site) for index, site in enumerate(sites)]
)
SHARES = st.lists(st.integers(1, 99), max_size=5, unique=True).map(
    lambda shares: [f"{n}%" for n in [*sorted(shares), 100]]
)
ROLLOUTS = st.text("0123456789abcdef", min_size=1, max_size=8)


@LAW
@given(ROLLOUTS, SHARES, FLEETS)
def test_every_node_is_in_exactly_one_stage(rollout_id: str, shares: list[str], fleet: list[Place]) -> None:
    planned = stages.divide(rollout_id, stages.parse(shares), fleet)

    members = [node_id for stage in planned for node_id in stage.node_ids]
    assert sorted(members) == sorted(place.node_id for place in fleet)


@LAW
@given(ROLLOUTS, SHARES, FLEETS)
def test_the_stages_up_to_a_share_hold_that_share_rounded_down_and_at_least_one(
    rollout_id: str, shares: list[str], fleet: list[Place]
) -> None:
    planned = {stage.share: stage for stage in stages.divide(rollout_id, stages.parse(shares), fleet)}

    covered = 0
    for share in shares:
        covered += len(planned[share].node_ids) if share in planned else 0
        assert covered == max(1, int(share.rstrip("%")) * len(fleet) // 100)
    assert all(stage.node_ids for stage in planned.values())


@LAW
@given(ROLLOUTS, SHARES, FLEETS, st.randoms(use_true_random=False))
def test_the_order_in_which_nodes_are_listed_does_not_matter(
    rollout_id: str, shares: list[str], fleet: list[Place], random: Random
) -> None:
    shuffled = list(fleet)
    random.shuffle(shuffled)

    assert stages.divide(rollout_id, stages.parse(shares), fleet) == stages.divide(
        rollout_id, stages.parse(shares), shuffled
    )


@LAW
@given(ROLLOUTS, FLEETS, st.integers(1, 20))
def test_more_nodes_leave_the_order_inside_every_site_as_it_was(rollout_id: str, fleet: list[Place], more: int) -> None:
    grown = [*fleet, *(Place(f"new-{index}", "north") for index in range(more))]
    site_of = {place.node_id: place.site for place in fleet}

    before = stages.order(rollout_id, fleet)
    after = [node_id for node_id in stages.order(rollout_id, grown) if node_id in site_of]

    for site in set(site_of.values()):
        assert [n for n in after if site_of[n] == site] == [n for n in before if site_of[n] == site]


@LAW
@given(ROLLOUTS, FLEETS, st.integers(1, 60))
def test_no_site_is_more_than_one_node_ahead_of_another_that_has_nodes_left(
    rollout_id: str, fleet: list[Place], first: int
) -> None:
    site_of = {place.node_id: place.site for place in fleet}
    totals = {site: sum(place.site == site for place in fleet) for site in site_of.values()}

    chosen = stages.order(rollout_id, fleet)[:first]

    counts = {site: sum(site_of[node_id] == site for node_id in chosen) for site in totals}
    waiting = [counts[site] for site in totals if counts[site] < totals[site]]
    assert all(max(counts.values()) - count <= 1 for count in waiting)


CLASSES = ("x86_64-8", "aarch64-4", "armv7-2")
MIXED = st.lists(
    st.tuples(st.sampled_from(["north", "south", "west"]), st.sampled_from(CLASSES), st.sampled_from(["", "p1", "p2"])),
    min_size=1,
    max_size=60,
).map(lambda rows: [Place(f"node-{index}", *row) for index, row in enumerate(rows)])
NAMED = st.lists(st.integers(0, 59), max_size=10, unique=True)


@LAW
@given(ROLLOUTS, SHARES, MIXED, NAMED)
def test_with_groups_classes_and_pairs_too_every_node_is_in_exactly_one_stage(
    seed: str, shares: list[str], fleet: list[Place], named: list[int]
) -> None:
    canary = {f"node-{index}" for index in named if index < len(fleet)}
    texts = [*(["group:canary"] if canary else []), f"class:{fleet[0].node_class}", *shares]

    planned = stages.divide(seed, stages.parse(texts), fleet, groups={"canary": canary})

    members = [node_id for stage in planned for node_id in stage.node_ids]
    assert sorted(members) == sorted(place.node_id for place in fleet)
    assert not canary or set(planned[0].node_ids) == canary


@LAW
@given(ROLLOUTS, SHARES, MIXED)
def test_pairs_and_classes_do_not_cost_a_share_a_node(seed: str, shares: list[str], fleet: list[Place]) -> None:
    planned = {stage.share: stage for stage in stages.divide(seed, stages.parse(shares), fleet)}

    covered = 0
    for share in shares:
        covered += len(planned[share].node_ids) if share in planned else 0
        exact = int(share.rstrip("%")) * len(fleet) / 100
        assert abs(covered - max(1.0, exact)) < 1


@LAW
@given(ROLLOUTS, MIXED, st.integers(1, 20))
def test_more_nodes_leave_the_order_inside_every_site_and_class_as_it_was(
    seed: str, fleet: list[Place], more: int
) -> None:
    grown = [*fleet, *(Place(f"new-{index}", "north", CLASSES[index % 3]) for index in range(more))]
    cell_of = {place.node_id: (place.site, place.node_class) for place in fleet}

    before = stages.order(seed, fleet)
    after = [node_id for node_id in stages.order(seed, grown) if node_id in cell_of]

    for cell in set(cell_of.values()):
        assert [n for n in after if cell_of[n] == cell] == [n for n in before if cell_of[n] == cell]


@LAW
@given(ROLLOUTS, SHARES, MIXED)
def test_a_stage_has_both_nodes_of_a_pair_only_when_nobody_else_was_left(
    seed: str, shares: list[str], fleet: list[Place]
) -> None:
    pair_of = {place.node_id: place.pair for place in fleet}
    waiting = [place.node_id for place in fleet]

    for stage in stages.divide(seed, stages.parse(shares), fleet):
        waiting = [node_id for node_id in waiting if node_id not in stage.node_ids]
        pairs = [pair_of[node_id] for node_id in stage.node_ids if pair_of[node_id]]
        if len(pairs) > len(set(pairs)):
            assert all(pair_of[node_id] in pairs for node_id in waiting)
