"""Whole fleets under heavy trouble, from one seed each; errors planted in the kit show that the laws have teeth.

`make test` tries a few seeds, `make simulate` more, and `make soak` a thousand larger fleets (test_world_soak.py).
"""

import os
import subprocess
import sys

import pytest

from ganglion.testing.world.bugs import CAUGHT_BY, Bug
from ganglion.testing.world.faults import plan, rates_of
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Devices, Rates, Scenario
from ganglion.testing.world.shrink import shrink
from ganglion.testing.world.world import simulate

SMALL = Scenario(
    hours=30.0,
    devices=Devices(nodes=5, sites=2, outbox_gb=0.004),
    rates=Rates(flush_s=900.0),
    deadline_h=4.0,
    settle_h=3.0,
    reports_min_share=0.6,
)
TROUBLE = (
    "heavy,node_cloned=0.1,node_put_back=0.1,hub_restored=0.5,power_cut_at_write=4,hub_killed_at_commit=24,"
    "download_torn=1,revoke=0.5,abort=1"
)
ONCE_FAILED = {
    221: "a copy's own records were forgotten after an ack for the original's",
    260: "a clone of a node with an attempt under way did not go on with it",
    291: "a full disk stood in the way back after an abort",
}
SEEDS_PER_BUG = 200
LAW_OF_EXPERIMENTS = 11
BUGS = [bug for bug in Bug if CAUGHT_BY[bug] != LAW_OF_EXPERIMENTS]
"""Those of experiments stand in test_world_experiments.py."""


def troubled(seed: int, *bugs: Bug) -> Outcome:
    return simulate(SMALL, seed=seed, faults=TROUBLE, bugs=frozenset(bugs))


def test_no_law_breaks_under_heavy_trouble(seeds: range) -> None:
    broken = {seed: found for seed in seeds if (found := troubled(seed).broken)}

    assert not broken


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_a_seed_that_once_broke_a_law_breaks_none(seed: int) -> None:
    outcome = troubled(seed)

    assert not outcome.broken, ONCE_FAILED[seed]


def test_every_law_has_something_to_judge_under_heavy_trouble() -> None:
    outcomes = [troubled(seed) for seed in range(4)]

    judged = [law for law, verdict in enumerate(outcomes[0].verdicts) if verdict.law != LAW_OF_EXPERIMENTS]
    looks = [sum(outcome.verdicts[law].looks for outcome in outcomes) for law in judged]
    assert min(looks) > 0, looks


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_error_is_caught_by_its_law(bug: Bug) -> None:
    caught = next(
        (seed for seed in range(SEEDS_PER_BUG) if troubled(seed, bug).verdicts[CAUGHT_BY[bug] - 1].broken), None
    )

    assert caught is not None, f"{bug} went unseen in {SEEDS_PER_BUG} seeds"


def test_a_seed_gives_the_same_timeline_and_figures_again() -> None:
    one, other = troubled(3), troubled(3)

    assert (one.text(), one) == (other.text(), other)


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    programme = (
        "import logging, structlog, sys; from simulation.test_world import troubled;"
        "structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL));"
        "sys.stdout.write(troubled(3).text())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", programme],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "tests"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert texts == {troubled(3).text()}


def test_a_failing_run_is_made_short_and_still_fails() -> None:
    faults = plan(SMALL, rates_of(TROUBLE), 2)

    found = shrink(SMALL, seed=2, faults=faults, law=5, bugs=frozenset({Bug.REVERT_TO_ANOTHER_MODEL}), runs_max=60)

    again = simulate(found.scenario, seed=2, faults=found.faults, bugs=frozenset({Bug.REVERT_TO_ANOTHER_MODEL}))
    assert len(found.faults) < len(faults) / 10
    assert again.verdicts[4].broken
    assert "def test_seed_2_keeps_law_5() -> None:" in found.as_test()
