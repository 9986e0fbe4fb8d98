"""Which time signed metadata is judged by."""

import pytest

from ganglion.core.trust_errors import ClockWrong
from ganglion.trust.clock_floor import BUILT_AT_S, check_not_ahead, reference_s, remembered_s

DAY_S = 86_400.0
NOW_S = BUILT_AT_S + 100 * DAY_S


def test_a_clock_that_runs_right_is_believed() -> None:
    assert reference_s(NOW_S, seen_s=BUILT_AT_S, hub_s=NOW_S - 5) == NOW_S


@pytest.mark.parametrize(("seen_s", "hub_s"), [(NOW_S + 60, None), (BUILT_AT_S, NOW_S + 60)])
def test_a_little_lag_is_made_up_for(seen_s: float, hub_s: float | None) -> None:
    assert reference_s(NOW_S, seen_s=seen_s, hub_s=hub_s) == NOW_S + 60


@pytest.mark.parametrize(("seen_s", "hub_s"), [(NOW_S + 3 * DAY_S, None), (BUILT_AT_S, NOW_S + 3 * DAY_S)])
def test_a_clock_that_is_days_behind_is_wrong(seen_s: float, hub_s: float | None) -> None:
    with pytest.raises(ClockWrong, match="3 days behind"):
        reference_s(NOW_S, seen_s=seen_s, hub_s=hub_s)


def test_a_machine_without_a_clock_is_told_at_once() -> None:
    with pytest.raises(ClockWrong):
        reference_s(0.0, seen_s=BUILT_AT_S, hub_s=None)


def test_a_clock_that_is_days_ahead_of_the_hub_is_to_blame_for_expired_metadata() -> None:
    with pytest.raises(ClockWrong, match="2 days ahead"):
        check_not_ahead(NOW_S, hub_s=NOW_S - 2 * DAY_S)


@pytest.mark.parametrize("hub_s", [None, NOW_S - 60, NOW_S + 9 * DAY_S])
def test_otherwise_the_metadata_is(hub_s: float | None) -> None:
    check_not_ahead(NOW_S, hub_s=hub_s)


@pytest.mark.parametrize(
    ("hub_s", "remembered"), [(None, NOW_S + 5 * DAY_S), (NOW_S, NOW_S), (NOW_S - 9 * DAY_S, NOW_S - DAY_S)]
)
def test_of_a_clock_that_is_ahead_no_more_is_remembered_than_the_hub_confirms(
    hub_s: float | None, remembered: float
) -> None:
    assert remembered_s(NOW_S + 5 * DAY_S, seen_s=NOW_S - DAY_S, hub_s=hub_s) == remembered
