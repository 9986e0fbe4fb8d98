"""What a scenario may say, and what it may not."""

import tomllib

import pytest

from ganglion.core.errors import InvalidRequest, InvalidSettings
from ganglion.testing.world import scenario as scenarios
from ganglion.testing.world.faults import LEVELS, FaultKind, plan, rates_of
from ganglion.testing.world.scenario import PROFILES, Scenario, read_scenario


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_a_scenario(name: str) -> None:
    profile = read_scenario(tomllib.loads(scenarios.profile_text(name)))

    assert profile.title != Scenario().title
    assert profile.releases


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"nodes": 3}, "unknown field"),
        ({"hours": 0}, "hours"),
        ({"hours": "much"}, "hours"),
        ({"devices": {"nodes": 0}}, "nodes"),
        ({"devices": {"nodes": 2, "sites": 3}}, "cannot stand on"),
        ({"link": {"loss": 1.5}}, "loss"),
        ({"link": {"back_s": 0}}, "back_s"),
        ({"devices": {"install_s": -1}}, "install_s"),
        ({"hub_look_s": 0.01}, "looks at its rollouts"),
        ({"hub_look_s": 1e9}, "hub_look_s"),
        ({"link": {"offline": ["9-3"]}}, "no time in hours"),
        ({"link": {"offline": ["soon"]}}, "no time in hours"),
        ({"releases": [{"version": "1", "at_h": 1}]}, "version of its own"),
        ({"releases": [{"version": "2", "at_h": 1}, {"version": "2", "at_h": 2}]}, "version of its own"),
        ({"releases": [{"version": "2", "at_h": 99}]}, "after the end"),
        ({"releases": [{"version": "2", "at_h": 1, "behaves": "odd"}]}, "behaves"),
        ([], "does not fit"),
    ],
)
def test_a_scenario_that_no_fleet_has_is_refused(tree: object, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_scenario(tree)


def test_a_window_of_the_link_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSettings):
        read_scenario({"link": {"egress": {"windows": ["late"]}}})


def test_an_unknown_profile_names_those_that_exist() -> None:
    with pytest.raises(InvalidRequest, match="ship, mine"):
        scenarios.profile_text("submarine")


def test_the_levels_of_faults_grow() -> None:
    counts = [len(plan(Scenario(), rates_of(level), 1)) for level in LEVELS]

    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] > 500


def test_a_kind_of_fault_can_be_set_beside_a_level_or_alone() -> None:
    beside, alone = rates_of("heavy,partition=7,site_dark=0"), rates_of("power_cut=3")

    assert (beside[FaultKind.PARTITION], beside[FaultKind.SITE_DARK]) == (7.0, 0.0)
    assert {kind for kind, rate in alone.items() if rate} == {FaultKind.POWER_CUT}


@pytest.mark.parametrize(
    "spec", ["", "much", "partition", "partition=often", "partition=-1", "heavy,rain=2", "slow=nan"]
)
def test_faults_that_do_not_exist_are_refused(spec: str) -> None:
    with pytest.raises(InvalidRequest, match="is no fault"):
        rates_of(spec)


def test_a_plan_ends_before_the_calm_begins() -> None:
    scenario = Scenario(hours=12.0)

    faults = plan(scenario, rates_of("heavy"), 4)

    assert max(fault.at_s + fault.for_s for fault in faults) <= scenario.hours * 3600.0 + 0.1


def test_a_seed_plans_the_same_faults_again() -> None:
    rates = rates_of("heavy")

    assert plan(Scenario(), rates, 4) == plan(Scenario(), rates, 4) != plan(Scenario(), rates, 5)
