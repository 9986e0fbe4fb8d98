"""What people see of a rollout, a plan and a way back."""

from dataclasses import replace

import pytest

from ganglion.entrypoints.cli import rollout_show
from ganglion.wire.rollout_resources import (
    JudgedVersion,
    NodeReturn,
    PlannedNode,
    PlannedStageView,
    RevertView,
    RolloutLimits,
    RolloutPlan,
    RolloutView,
    StageView,
)

STAGES = [
    StageView("group:canary", ["n1"], started_at_s=1.0, size=1),
    StageView("100%", [f"n{index}" for index in range(2, 30)], approvals_missing=2, size=500),
]
VIEW = RolloutView("r1", "gate", "2", "running", 0, STAGES, "", 0.0, 0.0, given=1, committed=1)


def test_long_lists_are_cut_and_say_how_many_more_there_are() -> None:
    record = rollout_show.record_of(VIEW)

    assert [line.nodes for line in record.stages] == ["n1", "n2, n3, n4, n5, n6, n7, n8, n9 and 492 more"]
    assert record.nodes == "1 of 501 given it, 1 committed"


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (replace(VIEW, state="scheduled", limits=RolloutLimits(starts_at_s=0.0)), "its time, 1970-01-01 00:00:00Z"),
        (replace(VIEW, state="queued", place=1), "1 rollout before it"),
        (replace(VIEW, state="queued", place=3), "3 rollouts before it"),
        (replace(VIEW, state="awaiting_approval"), "2 more approvals of stage 2"),
        (replace(VIEW, held_back=4), "4 nodes whose turn has not come"),
        (VIEW, ""),
    ],
)
def test_what_it_waits_for_is_said_in_words(view: RolloutView, told: str) -> None:
    assert rollout_show.record_of(view).waits_for == told


def test_what_people_say_of_the_version_comes_before_what_they_say_of_those_beside_it() -> None:
    view = replace(VIEW, judged=[JudgedVersion("1", 41, 50), JudgedVersion("2", 9, 10)])

    assert rollout_show.record_of(view).judged == "2: 9 of 10 right (90.0%), 1: 41 of 50 right (82.0%)"
    assert rollout_show.record_of(VIEW).judged == ""


def test_the_limits_are_told_in_one_line() -> None:
    limits = RolloutLimits(
        to="group:line-3",
        approvals=2,
        emergency=True,
        site_parallel_max=3,
        site_bytes_per_s_max=500_000,
        windows=["sun"],
    )

    assert rollout_show.record_of(replace(VIEW, limits=limits)).limits == (
        "EMERGENCY; for group:line-3; 2 approvals a stage; 3 at a time in a site; 500 kB/s for a site; installs in sun"
    )


def test_after_an_abort_those_that_are_not_back_are_named() -> None:
    nodes = [NodeReturn("n2", "silent", "1", "not heard of since the abort"), NodeReturn("n1", "returned", "1")]
    revert = RevertView(returned=1, returning=0, silent=1, failed=0, reverted_at_s=0.0, nodes=nodes)

    record = rollout_show.record_of(replace(VIEW, state="aborted", revert=revert))

    assert record.revert == "1 of 2 nodes are back, 0 returning, 1 silent, 0 failed, done 1970-01-01 00:00:00Z"
    assert [each.node for each in record.returns] == ["n2"]


def test_a_plan_says_who_gets_what_and_how_much_travels() -> None:
    nodes = [PlannedNode(f"n{index}", "north", "x86_64-4", "fp32", "1", 1000) for index in range(10)]
    stage = PlannedStageView("100%", nodes, earliest_at_s=60.0, batches=2, download_bytes=10_000)

    record = rollout_show.plan_of(RolloutPlan("gate", "2", "gate:2", [stage], ["board"], [], 10_000, approvals=1))

    assert (record.nodes, record.download, record.misfits) == (10, "10 kB", "board")
    assert record.approvals == "1 for each stage"
    assert record.stages[0].nodes.endswith("n7 and 2 more")
