"""Figures of the fleet, kept day by day."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.services.figures import Figures
from unit.hub.services.fleets import FleetAtHand

DAY_S = 86_400.0


@pytest.fixture
def fleet() -> FleetAtHand:
    return FleetAtHand()


def figures_of(fleet: FleetAtHand) -> Figures:
    return Figures(
        control=fleet.control,
        clock=fleet.clock,
        last_seen_at_s=lambda row: row.last_seen_at_s,
        reachable_within_s=60.0,
    )


def now_s(fleet: FleetAtHand) -> float:
    return fleet.clock.utc_ns() / 1e9


def test_looks_of_a_day_add_up_and_are_told_at_once(fleet: FleetAtHand) -> None:
    figures = figures_of(fleet)
    fleet.add("near", last_seen_at_s=now_s(fleet))
    fleet.add("far", last_seen_at_s=1.0)
    fleet.add("gone", retired_at_s=1.0)

    figures.take_look()
    figures.take_look()

    assert (figures.now().uptime.count, figures.now().uptime.total) == (2, 4)
    (day,) = figures.history(7)
    assert (day.looks, day.figures.uptime.share) == (2, 0.5)


def test_each_day_is_kept_for_itself(fleet: FleetAtHand) -> None:
    figures = figures_of(fleet)
    for _ in range(3):
        figures.take_look()
        fleet.clock.advance(DAY_S)

    kept = [day.day for day in figures.history(400)]

    assert kept == sorted(kept)
    assert len(kept) == 3
    assert len(figures.history(2)) == 2


def test_figures_that_do_not_exist_are_no_gauges(fleet: FleetAtHand) -> None:
    figures = figures_of(fleet)
    before = figures.gauges()
    figures.take_look()

    assert (before, figures.gauges()) == ({}, {"records_waiting": 0.0})


@pytest.mark.parametrize("days", [0, -1, 401])
def test_days_have_bounds(fleet: FleetAtHand, days: int) -> None:
    with pytest.raises(InvalidRequest):
        figures_of(fleet).now(days)
    with pytest.raises(InvalidRequest):
        figures_of(fleet).history(days)
