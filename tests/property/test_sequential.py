"""Laws of evidence that is valid at any look."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core import sequential

LAW = settings(deadline=None, derandomize=True)
LIMITS = st.floats(0.001, 0.999)
COUNTS = st.integers(0, 5000)


@LAW
@given(hits=COUNTS, misses=COUNTS, limit=LIMITS)
def test_one_trial_more_changes_the_evidence_by_one_on_the_average(hits: int, misses: int, limit: float) -> None:
    """A test martingale at the limit: limit x (with a hit) + (1 - limit) x (with a miss) = what it was."""
    trials = hits + misses
    now = sequential.rate_evidence(hits, trials, limit)
    with_hit = sequential.rate_evidence(hits + 1, trials + 1, limit)
    with_miss = sequential.rate_evidence(hits, trials + 1, limit)

    mean = limit * math.exp(min(50.0, with_hit - now)) + (1.0 - limit) * math.exp(with_miss - now)

    assert math.isclose(mean, 1.0, rel_tol=1e-6)


@LAW
@given(hits=COUNTS, misses=COUNTS, limit=LIMITS)
def test_a_hit_never_speaks_for_and_a_miss_never_against_the_limit(hits: int, misses: int, limit: float) -> None:
    trials = hits + misses
    now = sequential.rate_evidence(hits, trials, limit)

    assert sequential.rate_evidence(hits + 1, trials + 1, limit) >= now - 1e-9
    assert sequential.rate_evidence(hits, trials + 1, limit) <= now + 1e-9


@LAW
@given(hits=COUNTS, misses=st.integers(1, 5000), alpha=st.floats(1e-6, 0.5))
def test_a_ceiling_is_the_lowest_limit_that_is_not_broken_beyond_doubt(hits: int, misses: int, alpha: float) -> None:
    trials = hits + misses
    ceiling = sequential.rate_ceiling(hits, trials, alpha)

    assert hits / trials <= ceiling <= 1.0
    if ceiling < 0.999:
        above = sequential.rate_evidence(misses, trials, 1.0 - min(1.0, ceiling * 1.001 + 1e-9))
        assert sequential.exceeds(above, alpha)


@LAW
@given(estimate=st.floats(-5, 5), error=st.floats(1e-6, 5), freedom=st.integers(1, 100))
def test_an_estimated_error_is_never_trusted_more_than_a_known_one(estimate: float, error: float, freedom: int) -> None:
    known = sequential.mean_evidence(estimate, error, scale=0.05)
    estimated = sequential.student_evidence(estimate, error, freedom, scale=0.05)

    if estimate > 0 and known > 0:
        assert estimated <= known + 1e-9
    assert not math.isnan(estimated)


@LAW
@given(information=st.floats(1e-3, 1e9), freedom=st.floats(1, 255), alpha=st.floats(1e-9, 0.5))
def test_a_boundary_is_above_what_one_look_alone_would_need(information: float, freedom: float, alpha: float) -> None:
    boundary = sequential.shift_boundary(information, freedom, alpha, scale=0.1)

    assert boundary * information >= -2.0 * math.log(alpha)


@LAW
@given(logs=st.lists(st.floats(-50, 50) | st.just(-math.inf) | st.just(math.inf), min_size=1, max_size=8))
def test_a_divided_stake_is_worth_at_most_its_best_part_and_at_least_its_share_of_that(logs: list[float]) -> None:
    divided = sequential.divided(logs)

    assert divided <= max(logs) + 1e-9
    assert divided >= max(logs) - math.log(len(logs)) - 1e-9
