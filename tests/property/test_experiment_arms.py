"""Laws of drawing nodes into the arms of an experiment."""

from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ganglion.core.errors import Conflict
from ganglion.hub.domain.experiments import arms as experiment_arms
from ganglion.hub.domain.rollouts.stages import Place

LAW = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
"""The same examples in every run, however busy the machine is."""
FLEETS = st.lists(st.tuples(st.sampled_from("ns"), st.sampled_from("xa")), min_size=2, max_size=80).map(
    lambda kinds: [Place(f"node-{index}", site, kind) for index, (site, kind) in enumerate(kinds)]
)
SHARES = st.lists(st.integers(1, 20), min_size=2, max_size=6).map(lambda parts: [each / sum(parts) for each in parts])
SEEDS = st.text("0123456789abcdef", min_size=1, max_size=8)


def drawn(seed: str, shares: list[float], fleet: list[Place]) -> list[list[str]]:
    try:
        return experiment_arms.divide(seed, shares, fleet)
    except Conflict:
        assume(condition=False)
        raise


@LAW
@given(SEEDS, SHARES, FLEETS)
def test_every_node_is_in_exactly_one_arm(seed: str, shares: list[float], fleet: list[Place]) -> None:
    arms = drawn(seed, shares, fleet)

    assert sorted(node_id for arm in arms for node_id in arm) == sorted(place.node_id for place in fleet)


@LAW
@given(SEEDS, SHARES, FLEETS)
def test_shares_are_honoured_to_one_node(seed: str, shares: list[float], fleet: list[Place]) -> None:
    arms = drawn(seed, shares, fleet)

    assert all(abs(len(arm) - share * len(fleet)) < 1 for arm, share in zip(arms, shares, strict=True))


@LAW
@given(SEEDS, SHARES, FLEETS, st.randoms(use_true_random=False))
def test_the_order_in_which_nodes_are_named_decides_nothing(
    seed: str, shares: list[float], fleet: list[Place], random: Random
) -> None:
    arms = drawn(seed, shares, fleet)
    shuffled = [*fleet]
    random.shuffle(shuffled)

    assert experiment_arms.divide(seed, shares, shuffled) == arms
