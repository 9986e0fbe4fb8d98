"""Rollouts that people order in every way there is, pause, retry, skip, promote and abort, in fleets under trouble.

`make test` tries some seeds; `make soak` tries hundreds for laws 5 and 6, which are about rollouts, and all the others.
"""

import msgspec

from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Devices, Rates, Release, Scenario
from ganglion.testing.world.world import simulate

SEEDS_PER_FLEET = 10
PREVIOUS, SILENCE = 5, 6
WAYS = ("good", "slow", "good", "wrong_on_one_site", "crash", "confident_and_wrong")
FLEET = Scenario(
    hours=36.0,
    devices=Devices(nodes=8, sites=3, outbox_gb=0.05),
    rates=Rates(flush_s=600.0),
    stages=("1", "50%", "100%"),
    deadline_h=4.0,
    settle_h=4.0,
    reports_min_share=0.6,
    varied_rollouts=True,
    hub_look_s=120.0,
)
TROUBLE = "heavy,pause=3,resume=3,promote=1,retry=6,skip=12,abort=0.7,site_dark=2,image_changed=1,hub_down=6"


def lived(seed: int, *, fleet: Scenario = FLEET) -> Outcome:
    """Return what a fleet went through: six releases in 36 hours, the bad ones at other times for each seed."""
    releases = tuple(
        Release(version=str(number), at_h=5.0 * (number - 2) + 0.5, behaves=WAYS[(number + seed) % len(WAYS)])
        for number in range(2, 8)
    )
    return simulate(msgspec.structs.replace(fleet, releases=releases), seed=seed, faults=TROUBLE)


def test_no_law_breaks_whatever_people_do_with_their_rollouts(seeds: range) -> None:
    tried = range(max(2, len(seeds) // SEEDS_PER_FLEET))

    outcomes = [lived(seed) for seed in tried]

    assert {outcome.seed: outcome.broken for outcome in outcomes if outcome.broken} == {}
    for law in (PREVIOUS, SILENCE):
        assert sum(outcome.verdicts[law - 1].looks for outcome in outcomes) >= len(tried)


def test_rollouts_are_paused_retried_skipped_queued_approved_aborted_and_completed() -> None:
    told = "\n".join(line for seed in range(6) for line in lived(seed).timeline)

    for what in ("paused", "queued", "scheduled", "awaiting_approval", "aborted", "completed", "retried", "skipped"):
        assert what in told, what


def test_a_node_that_goes_back_within_what_the_gate_allows_is_not_taken_for_a_silent_one() -> None:
    # Seed 186: of four nodes two committed, one went back, and one was silent; two of the other three were enough.
    watched_closely = msgspec.structs.replace(FLEET, hub_look_s=60.0)

    assert not lived(186, fleet=watched_closely).broken


def test_a_node_that_was_left_behind_counts_again_when_it_speaks() -> None:
    # Seed 1205: of three nodes one was left behind and spoke later, so that two of three had told.
    assert not lived(1205).broken


def test_a_node_that_was_left_behind_after_a_retry_is_not_counted_by_what_it_said_before() -> None:
    # Seed 60: two nodes were given the version anew, and then left behind; one of them had committed before.
    assert not lived(60).broken
