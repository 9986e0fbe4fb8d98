"""Evidence that is valid at any look: worked figures, and Ville's inequality tried on made-up histories."""

import math

import numpy as np
import pytest

from ganglion.core import sequential
from ganglion.core.errors import Rejected

ALPHA = 0.05
HISTORIES, LOOKS = 1000, 150
# Chance that a rightly built test is above this in 1,000 histories: less than one in a thousand.
ALARMS_MAX = ALPHA + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) / HISTORIES)


def share_of_histories_that_alarm(chance: float, *, limit: float, rows: int) -> float:
    """Return how many histories ever give evidence, when one looks after every `rows` rows."""
    drawn = np.random.default_rng(7).binomial(rows, chance, size=(HISTORIES, LOOKS)).cumsum(axis=1)
    alarms = 0
    for history in drawn.tolist():
        looks = enumerate(history, start=1)
        alarms += any(
            sequential.exceeds(sequential.rate_evidence(hits, rows * look, limit), ALPHA) for look, hits in looks
        )
    return alarms / HISTORIES


@pytest.mark.parametrize("limit", [0.01, 0.2])
def test_a_version_at_the_limit_is_blamed_in_no_more_histories_than_declared(limit: float) -> None:
    assert share_of_histories_that_alarm(limit, limit=limit, rows=20) <= ALARMS_MAX


def test_a_version_of_twice_the_limit_is_caught_in_nearly_every_history() -> None:
    assert share_of_histories_that_alarm(0.04, limit=0.02, rows=40) >= 0.99


def test_an_interval_looked_at_every_time_errs_more_often_than_it_says() -> None:
    """Why intervals for one look are not enough: the same histories, judged by a one-sided 95 % interval."""
    drawn = np.random.default_rng(7).binomial(20, 0.2, size=(HISTORIES, LOOKS)).cumsum(axis=1)
    trials = 20 * np.arange(1, LOOKS + 1)
    share = drawn / trials
    alarms = (share - 1.645 * np.sqrt(0.2 * 0.8 / trials) > 0.2).any(axis=1).mean()

    assert alarms > 3 * ALPHA


def test_evidence_is_none_before_the_first_trial_and_certain_against_a_limit_of_nothing() -> None:
    assert sequential.rate_evidence(0, 0, 0.1) == 0.0
    assert sequential.rate_evidence(1, 10, 0.0) == math.inf
    assert sequential.rate_evidence(0, 10, 0.0) == 0.0
    assert sequential.rate_evidence(10, 10, 1.0) == 0.0


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(Rejected):
        sequential.rate_evidence(3, 2, 0.1)


def test_large_counts_neither_overflow_nor_turn_round() -> None:
    assert sequential.rate_evidence(10**9, 10**10, 0.02) > 1e6
    assert sequential.rate_evidence(10**6, 10**10, 0.02) < -1e3


def test_the_ceiling_of_a_rate_lies_above_the_share_seen_and_comes_down_with_knowledge() -> None:
    ceilings = [sequential.rate_ceiling(trials // 100, trials, 0.001) for trials in (100, 1000, 10_000, 1_000_000)]

    assert ceilings == sorted(ceilings, reverse=True)
    assert ceilings[-1] == pytest.approx(0.01, rel=0.1)
    assert sequential.rate_ceiling(0, 0, 0.01) == sequential.rate_ceiling(5, 5, 0.01) == 1.0


def test_a_mean_without_effect_is_blamed_in_no_more_histories_than_declared() -> None:
    steps = np.random.default_rng(8).normal(size=(HISTORIES, LOOKS)).cumsum(axis=1)
    alarms = 0
    for walk in steps.tolist():
        looks = [(total / look, 1 / math.sqrt(look)) for look, total in enumerate(walk, start=1)]
        alarms += any(
            sequential.exceeds(sequential.mean_evidence(mean, error, scale=0.2), ALPHA) for mean, error in looks
        )

    assert alarms / HISTORIES <= ALARMS_MAX


def test_a_mean_measured_exactly_is_beyond_doubt() -> None:
    assert sequential.mean_evidence(0.1, 0.0, scale=0.05) == math.inf
    assert sequential.mean_evidence(0.0, 0.0, scale=0.05) == 0.0
    assert sequential.mean_evidence(-50.0, 0.1, scale=0.05) < 0.0


def test_two_samples_of_one_distribution_keep_within_the_boundary_at_every_look() -> None:
    """Twenty bins, both sides growing together, the PSI of the totals after every step."""
    shares = np.linspace(1, 20, 20) / 210
    chance = np.random.default_rng(9)
    alarms = 0
    for _ in range(300):
        sides = [chance.multinomial(100, shares, size=60).cumsum(axis=0) for _ in range(2)]
        sizes = 100.0 * np.arange(1, 61)
        one, other = [(side + 0.5) / (sizes[:, None] + 10) for side in sides]
        psi = ((one - other) * np.log(one / other)).sum(axis=1)
        alarms += any(
            distance > sequential.shift_boundary(size / 2, 19, ALPHA, scale=0.1)
            for distance, size in zip(psi.tolist(), sizes.tolist(), strict=True)
        )

    assert alarms / 300 <= ALPHA + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) / 300)


def test_the_boundary_of_a_shift_falls_with_what_is_known() -> None:
    boundaries = [sequential.shift_boundary(size, 19, 1e-4, scale=0.1) for size in (10.0, 100.0, 1000.0, 1e6)]

    assert boundaries == sorted(boundaries, reverse=True)
    assert sequential.shift_boundary(0.0, 19, 1e-4, scale=0.1) == math.inf
