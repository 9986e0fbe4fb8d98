"""Figures of how a fleet is run, worked by hand."""

import msgspec

from ganglion.hub.domain import figures
from ganglion.hub.domain.figures import Day, Look, Seen
from ganglion.hub.domain.rollouts.document import HistoryEntry, Rollout, RolloutState, Stage
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.figures_resources import FleetFigures, ShareOf, Spread
from ganglion.wire.rollout_resources import GateSettings

PLAIN = Rollout(
    rollout_id="r1",
    model="digits",
    version="2",
    stages=(Stage(share="100%", node_ids=("n1", "n2"), started_at_s=1000.0),),
    gate=GateSettings(),
    policy=DeploymentPolicy(
        probation_s=0.0,
        inferences_min=0,
        error_rate_max=1.0,
        latency_ratio_max=1.0,
        agreement_min=0.0,
        compared_min=0,
        compare_share=0.0,
    ),
    created_at_s=990.0,
    updated_at_s=990.0,
)


def completed(*, at_s: float, committed: dict[str, float], rolled_back: dict[str, float] | None = None) -> Rollout:
    return msgspec.structs.replace(
        PLAIN,
        state=RolloutState.COMPLETED,
        committed=committed,
        rolled_back=rolled_back or {},
        history=(HistoryEntry(at_s, "completed", "gate", ""),),
    )


def aborted(*, began_at_s: float, at_s: float, reverted_at_s: float | None) -> Rollout:
    stage = msgspec.structs.replace(PLAIN.stages[0], started_at_s=began_at_s)
    return msgspec.structs.replace(
        PLAIN,
        state=RolloutState.ABORTED,
        stages=(stage,),
        rolled_back={"n1": at_s},
        aborted_at_s=at_s,
        reverted_at_s=reverted_at_s,
    )


def of(*rollouts: tuple[Rollout, float | None], days: tuple[Day, ...] = ()) -> FleetFigures:
    return figures.figures(rollouts, days, from_s=0.0, to_s=100_000.0)


def test_deployment_time_is_from_the_release_to_the_last_commit() -> None:
    told = of(
        (completed(at_s=1500.0, committed={"n1": 1100.0, "n2": 1300.0}), 900.0),
        (completed(at_s=1500.0, committed={"n1": 1100.0}), 1000.0),
    )

    assert told.deployment_time_s == Spread(count=2, mean_s=250.0, median_s=250.0, max_s=400.0)


def test_an_update_that_failed_first_and_then_succeeded_is_a_success() -> None:
    told = of((completed(at_s=1500.0, committed={"n1": 1.0, "n2": 2.0}, rolled_back={"n2": 1.5, "n3": 1.6}), None))

    assert told.update_success == ShareOf(count=2, total=3, share=2 / 3)


def test_detection_and_recovery_are_measured_from_the_first_node_and_from_the_abort() -> None:
    told = of(
        (aborted(began_at_s=1000.0, at_s=1060.0, reverted_at_s=1100.0), 900.0),
        (aborted(began_at_s=2000.0, at_s=2020.0, reverted_at_s=2040.0), 900.0),
        (aborted(began_at_s=3000.0, at_s=3100.0, reverted_at_s=None), 900.0),
    )

    assert (told.time_to_detect_s.mean_s, told.time_to_detect_s.count) == (60.0, 3)
    assert (told.failed_update_recovery_s.mean_s, told.failed_update_recovery_s.count) == (30.0, 2)
    assert (told.time_to_resolve_s.mean_s, told.time_to_resolve_s.count) == (70.0, 2)


def test_what_has_not_ended_in_the_time_does_not_count() -> None:
    before = completed(at_s=100_000.0, committed={"n1": 1.0})

    assert of((before, 0.0), (PLAIN, 0.0)).update_success == ShareOf()


def test_nothing_that_happened_is_no_figure_rather_than_a_good_one() -> None:
    told = of()

    assert (told.deployment_time_s, told.update_success, told.uptime) == (Spread(), ShareOf(), ShareOf())


def test_a_clock_that_was_put_back_makes_no_time_negative() -> None:
    assert figures.spread([-5.0, 5.0]) == Spread(count=2, mean_s=2.5, median_s=2.5, max_s=5.0)


def test_a_look_counts_nodes_by_when_they_were_heard_of() -> None:
    nodes = [
        Seen(lag_s=1.0, waiting=2, served={"digits": "2"}),
        Seen(lag_s=90.0, waiting=3, served={"digits": "1"}),
        Seen(lag_s=None, waiting=0, served={}),
    ]

    found = figures.look(nodes, reachable_within_s=60.0)

    assert (found.in_service, found.reachable, found.waiting) == (3, 1, 5)
    assert found.versions == {"digits": {"1": 1, "2": 1}}
    assert found.lag.max_s == 90.0


def test_uptime_is_the_share_of_all_looks_at_all_nodes() -> None:
    first, second = Look(in_service=4, reachable=4), Look(in_service=4, reachable=2)
    days = (figures.with_look(Day(), first), figures.with_look(figures.with_look(Day(), first), second))

    assert of(days=days).uptime == ShareOf(count=10, total=12, share=10 / 12)


def test_versions_are_those_of_the_last_look() -> None:
    look = Look(in_service=4, versions={"digits": {"1": 1, "2": 3}})

    (spread,) = of(days=(figures.with_look(Day(), look),)).versions

    assert (spread.distinct, spread.main_version, spread.main_share) == (2, "2", 0.75)
