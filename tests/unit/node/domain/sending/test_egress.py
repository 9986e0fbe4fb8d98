from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidSettings
from ganglion.node.domain.sending.egress import EgressSettings, Spent, check, lower, wait_s

HOUR_S, DAY_S = 3600.0, 86_400.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_without_limits_records_never_wait() -> None:
    spent = Spent().after(now_s=at("2026-03-01T10:15"), size_bytes=10**12)

    assert wait_s(EgressSettings(), spent, now_s=at("2026-03-01T10:15")) == 0


@pytest.mark.parametrize(
    ("settings", "until"),
    [
        (EgressSettings(hour_bytes_max=1000), "2026-12-31T23:00"),
        (EgressSettings(day_bytes_max=1000), "2027-01-01T00:00"),
        (EgressSettings(month_bytes_max=1000), "2027-01-01T00:00"),
        (EgressSettings(hour_bytes_max=1000, day_bytes_max=1000), "2027-01-01T00:00"),
    ],
)
def test_a_spent_budget_is_good_again_with_the_next_period(settings: EgressSettings, until: str) -> None:
    now_s = at("2026-12-31T22:45")

    spent = Spent().after(now_s=now_s, size_bytes=1000)

    assert wait_s(settings, spent, now_s=now_s) == at(until) - now_s
    assert wait_s(settings, spent, now_s=at(until)) == 0


def test_what_is_left_of_a_budget_may_leave() -> None:
    now_s = at("2026-03-01T10:15")

    spent = Spent().after(now_s=now_s, size_bytes=999)

    assert wait_s(EgressSettings(hour_bytes_max=1000), spent, now_s=now_s) == 0


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-01T21:59:30", "2026-03-01T22:00"),
        ("2026-03-01T22:00", "2026-03-01T22:00"),
        ("2026-03-01T23:59", "2026-03-01T23:59"),
        ("2026-03-02T05:29", "2026-03-02T05:29"),
        ("2026-03-02T05:30", "2026-03-02T12:00"),
        ("2026-03-02T13:00", "2026-03-02T22:00"),
    ],
)
def test_records_wait_for_the_next_window(now: str, until: str) -> None:
    settings = EgressSettings(windows=("22:00-05:30", "12:00-13:00"))

    assert wait_s(settings, Spent(), now_s=at(now)) == at(until) - at(now)


@pytest.mark.parametrize("window", ["", "22-05", "22:00", "25:00-26:00", "12:00-12:00", "a-b"])
def test_a_window_that_is_none_is_named(window: str) -> None:
    with pytest.raises(InvalidSettings, match="window"):
        check(EgressSettings(windows=(window,)))


@given(st.lists(st.tuples(st.floats(0, 40 * DAY_S), st.integers(0, 500)), max_size=60), st.integers(1, 2000))
def test_a_budget_is_overdrawn_by_one_batch_at_most(attempts: list[tuple[float, int]], limit: int) -> None:
    settings = EgressSettings(day_bytes_max=limit)
    spent, by_day = Spent(), dict[int, list[int]]()

    for now_s, size_bytes in sorted(attempts):
        if wait_s(settings, spent, now_s=now_s) == 0:
            spent = spent.after(now_s=now_s, size_bytes=size_bytes)
            by_day.setdefault(int(now_s // DAY_S), []).append(size_bytes)

    assert all(sum(sizes[:-1]) < limit for sizes in by_day.values())


@pytest.mark.parametrize(
    ("own", "asked", "holds"), [(0, 0, 0), (100, 0, 100), (0, 100, 100), (100, 50, 50), (50, 100, 50), (100, -5, 100)]
)
def test_a_hub_can_lower_a_limit_of_the_node_and_not_lift_it(own: int, asked: int, holds: int) -> None:
    assert lower(own, asked) == holds
