"""Experiments that people start, stop and conclude in fleets under trouble, beside rollouts.

`make test` tries some seeds; `make soak` tries hundreds.
"""

from functools import lru_cache

import msgspec
import pytest

from ganglion.testing.world.bugs import CAUGHT_BY, Bug
from ganglion.testing.world.outcome import Outcome, Verdict
from ganglion.testing.world.scenario import Devices, Rates, Release, Scenario
from ganglion.testing.world.world import simulate

SEEDS_PER_FLEET = 10
OWN_ARM = 11
FLEET = Scenario(
    hours=36.0,
    devices=Devices(nodes=8, sites=3, outbox_gb=0.05),
    rates=Rates(flush_s=600.0),
    stages=("1", "50%", "100%"),
    deadline_h=4.0,
    settle_h=4.0,
    reports_min_share=0.6,
    hub_look_s=120.0,
    releases=(Release(version="2", at_h=3.0), Release(version="3", at_h=20.0, behaves="slow")),
)
TROUBLE = "heavy,experiment=6,experiment_ended=6,site_dark=2,hub_restored=0.3,image_changed=1,hub_down=6"
BUGS = (Bug.EXPERIMENT_FORGETS_THE_AWAY, Bug.NODE_IN_TWO_ARMS)
SEEDS_PER_BUG = 100


@lru_cache(maxsize=4)
def lived(seed: int, *bugs: Bug) -> Outcome:
    """Return what a fleet went through whose people compare versions several times a day."""
    return simulate(FLEET, seed=seed, faults=TROUBLE, bugs=frozenset(bugs))


def verdict(outcome: Outcome, law: int = OWN_ARM) -> Verdict:
    return next(each for each in outcome.verdicts if each.law == law)


def test_no_law_breaks_whatever_people_do_with_their_experiments(seeds: range) -> None:
    tried = range(max(2, len(seeds) // SEEDS_PER_FLEET))

    outcomes = [lived(seed) for seed in tried]

    assert {outcome.seed: outcome.broken for outcome in outcomes if outcome.broken} == {}
    assert sum(verdict(outcome).looks for outcome in outcomes) >= len(tried)


def test_experiments_run_to_their_end_are_stopped_and_concluded_and_guards_end_bad_ones() -> None:
    told = "\n".join(line for seed in range(2) for line in lived(seed).timeline)

    for what in ("its time is over", "changed their mind", "concluded", "winner of", "nodes rolled back unasked"):
        assert what in told, what


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_error_is_caught_by_the_law_of_experiments(bug: Bug) -> None:
    caught = next((seed for seed in range(SEEDS_PER_BUG) if verdict(lived(seed, bug), CAUGHT_BY[bug]).broken), None)

    assert caught is not None, f"{bug} went unseen in {SEEDS_PER_BUG} seeds"


def test_a_fleet_without_trouble_is_left_as_it_was_by_an_experiment() -> None:
    calm = msgspec.structs.replace(FLEET, releases=(Release(version="2", at_h=30.0),))

    outcome = simulate(calm, seed=1, faults="none,experiment=1")

    assert not outcome.broken
    assert verdict(outcome).looks > 1
