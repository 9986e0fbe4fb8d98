"""Fleets of 20 to 50 nodes for three days under heavy trouble: `make soak` tries a thousand, `make test` one."""

import msgspec

from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Devices, Rates, Scenario
from ganglion.testing.world.world import simulate

SEEDS_PER_FLEET = 20
FAULTS_MIN = 1000
FLEET = Scenario(hours=72.0, hub_look_s=180.0)


def fleet(seed: int) -> Outcome:
    """Return what a fleet went through: every second one has outboxes that overflow, every tenth one sends often."""
    devices = Devices(nodes=20 + seed % 31, sites=4, outbox_gb=0.02 if seed % 2 else 0.5)
    rates = Rates(flush_s=1200.0 if seed % 10 else 300.0)
    return simulate(msgspec.structs.replace(FLEET, devices=devices, rates=rates), seed=seed, faults="heavy")


def test_no_fleet_breaks_a_law_in_three_days_of_trouble(seeds: range) -> None:
    tried = range(max(1, len(seeds) // SEEDS_PER_FLEET))

    outcomes = [fleet(seed) for seed in tried]

    broken = {outcome.seed: outcome.broken for outcome in outcomes if outcome.broken}
    faults = sum(outcome.figures.faults for outcome in outcomes)
    assert not broken, f"{len(broken)} of {len(outcomes)} fleets, {faults:,} faults: {broken}"
    assert faults >= FAULTS_MIN * len(outcomes)


def test_a_damaged_package_is_replaced_by_the_spare_as_soon_as_the_agent_is_back() -> None:
    # Seed 164: serving started on a damaged package while the agent was down.
    assert not fleet(164).broken


def test_the_refusal_of_a_batch_that_was_sent_again_since_is_not_heard() -> None:
    # Seed 1050: a copy's refusal came after the batch had been sent anew, and its epoch was given up twice.
    assert not fleet(1050).broken


def test_a_commit_after_a_retry_counts_though_the_clock_of_the_hub_went_back_between_them() -> None:
    # Seed 30: by the hub's clock a node had committed before it was given the version anew.
    assert not fleet(30).broken
