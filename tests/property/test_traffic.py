"""Laws of shared traffic: shares are honoured, a key stays where it is, a canary grows without shuffling anybody."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.node.domain.serving.traffic import TrafficSplit, choose_by_chance, choose_by_key, split_of, without

NAMES = ("1", "2", "3", "2024-canary")
WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.just(0.0) | st.floats(1e-6, 100.0), min_size=1).filter(
    lambda weights: any(weights.values())
)
KEYS = [f"user-{number}" for number in range(2000)]


def split(weights: dict[str, float], model: str = "gate") -> TrafficSplit:
    made = split_of(model, weights)
    assert made is not None
    return made


def shares(made: TrafficSplit) -> dict[str, float]:
    chosen = [choose_by_key(made, key) for key in KEYS]
    return {version: chosen.count(version) / len(KEYS) for version in made.weights}


def allowed_error(share: float) -> float:
    """Five standard deviations of a share of so many keys: a law of chance that these fixed keys keep."""
    return 5 * math.sqrt(share * (1 - share) / len(KEYS)) + 1e-9


@given(WEIGHTS)
def test_keys_are_shared_by_weight(weights: dict[str, float]) -> None:
    made = split(weights)

    for version, share in shares(made).items():
        wanted = made.weights[version] / made.total
        assert abs(share - wanted) <= allowed_error(wanted)


@given(WEIGHTS, st.text(max_size=40))
def test_a_key_gets_the_same_version_whatever_the_order_of_the_weights(weights: dict[str, float], key: str) -> None:
    turned = dict(reversed(weights.items()))

    assert choose_by_key(split(weights), key) == choose_by_key(split(turned), key)


@given(WEIGHTS, st.sampled_from(NAMES), st.floats(0.01, 1000.0))
def test_raising_a_weight_moves_keys_to_that_version_only(weights: dict[str, float], raised: str, by: float) -> None:
    before = split(weights)
    after = split({**weights, raised: weights.get(raised, 0.0) + by})

    moved = {choose_by_key(after, key) for key in KEYS[:300] if choose_by_key(before, key) != choose_by_key(after, key)}

    assert moved <= {raised}


@given(WEIGHTS, st.sampled_from(NAMES))
def test_a_version_that_goes_leaves_the_keys_of_the_others_where_they_are(weights: dict[str, float], gone: str) -> None:
    before, after = split(weights), without(split(weights), gone)

    for key in KEYS[:300] if after is not None else []:
        assert after is not None
        kept = choose_by_key(before, key)
        assert choose_by_key(after, key) == kept or kept == gone


@given(WEIGHTS)
def test_chance_is_shared_by_weight(weights: dict[str, float]) -> None:
    made, steps = split(weights), 1000
    chosen = [choose_by_chance(made, number / steps) for number in range(steps)]

    for version, weight in made.weights.items():
        assert abs(chosen.count(version) / steps - weight / made.total) <= 2 / steps


@given(WEIGHTS, st.floats(0.0, 1.0, exclude_max=True), st.text())
def test_a_version_without_weight_is_never_chosen(weights: dict[str, float], share: float, key: str) -> None:
    made = split(weights)

    assert made.weights[choose_by_chance(made, share)] > 0
    assert made.weights[choose_by_key(made, key)] > 0


def test_two_models_do_not_send_the_same_keys_to_their_canaries() -> None:
    weights = {"1": 1.0, "2": 1.0}

    one = [choose_by_key(split(weights, "gate"), key) for key in KEYS]
    other = [choose_by_key(split(weights, "door"), key) for key in KEYS]

    both = sum(left == right for left, right in zip(one, other, strict=True)) / len(KEYS)
    assert abs(both - 0.5) <= allowed_error(0.5)


@pytest.mark.parametrize(
    "weights", [{"1": -1.0}, {"1": math.nan}, {"1": math.inf}, {"1": 0.0, "2": 0.0}, {"1": 2e9}, {"1": 5e-324}]
)
def test_weights_that_share_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest):
        split_of("gate", weights)


def test_without_weights_nothing_is_shared() -> None:
    assert split_of("gate", {}) is None
