import itertools

from hypothesis import given
from hypothesis import strategies as st

from ganglion.hub.domain.records.back_pressure import retry_after_s

SHARES = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10**6), st.floats(0, 10**6), SHARES)
def test_the_delay_is_between_a_second_and_five_minutes(waiting: int, finished_per_s: float, share: float) -> None:
    assert 1 <= retry_after_s(waiting=waiting, finished_per_s=finished_per_s, share=share) <= 300


def test_one_node_comes_back_soon() -> None:
    assert retry_after_s(waiting=1, finished_per_s=100, share=0.99) <= 2


def test_a_crowd_is_spread_over_the_time_that_the_hub_needs_for_it() -> None:
    delays = [retry_after_s(waiting=1000, finished_per_s=50, share=index / 1000) for index in range(1000)]

    arrivals = [len(list(group)) for _, group in itertools.groupby(sorted(delays))]

    assert max(delays) == 21
    assert max(arrivals) <= 50


@given(SHARES, st.integers(1, 5000))
def test_a_larger_crowd_never_comes_back_sooner(share: float, waiting: int) -> None:
    def delay(count: int) -> int:
        return retry_after_s(waiting=count, finished_per_s=20, share=share)

    assert delay(waiting + 100) >= delay(waiting)
