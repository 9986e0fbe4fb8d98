"""How the page names the stages of a rollout."""

from dataclasses import replace

import pytest

from ganglion.entrypoints.hub_api.web.overview import StageLine, rollout_line, stage_state
from ganglion.wire.rollout_resources import RevertView, RolloutView, StageView


@pytest.mark.parametrize(
    ("state", "stage", "named"),
    [
        ("running", 1, ["done", "running", "waiting"]),
        ("paused", 0, ["paused", "waiting", "waiting"]),
        ("aborted", 0, ["aborted", "skipped", "skipped"]),
        ("completed", 2, ["done", "done", "done"]),
        ("queued", 0, ["queued", "waiting", "waiting"]),
        ("awaiting_approval", 1, ["done", "awaiting_approval", "waiting"]),
    ],
)
def test_a_stage_that_an_aborted_rollout_never_reached_does_not_wait(state: str, stage: int, named: list[str]) -> None:
    stages = [StageView(share=share, nodes=["n1"]) for share in ("5%", "25%", "100%")]
    rollout = RolloutView("r1", "digits", "2", state, stage, stages, "", 0.0, 0.0, [])

    assert [stage_state(rollout, index) for index in range(3)] == named


def test_what_waits_for_approval_is_the_next_stage() -> None:
    stages = [StageView("group:canary", ["n1"], started_at_s=1.0), StageView("100%", ["n2"])]
    rollout = RolloutView("r1", "digits", "2", "awaiting_approval", 0, stages, "", 0.0, 0.0, [])

    assert [stage_state(rollout, index) for index in range(2)] == ["done", "awaiting_approval"]


@pytest.mark.parametrize(
    ("state", "committed", "told"),
    [
        ("running", 1, "1 of 2 nodes on 2"),
        ("done", 2, "2 nodes"),
        ("done", 0, "2 nodes, 0 on 2 now"),
    ],
)
def test_a_stage_that_is_over_is_not_blamed_for_what_came_later(state: str, committed: int, told: str) -> None:
    line = StageLine(StageView("100%", ["n1", "n2"]), state, committed, "2")

    assert line.told == told


def test_a_stage_of_which_not_all_nodes_are_shown_says_how_many_there_are() -> None:
    line = StageLine(StageView("100%", ["n1"], size=2500), "running", 1, "2")

    assert line.told == "1 of 1 node (of 2\u202f500) on 2"


def test_the_gates_reason_is_told_while_it_is_news() -> None:
    stage = StageView("100%", ["n1"], verdict="go_on", verdict_reason="errors 0 of 90")

    assert StageLine(stage, "running", 0, "2").verdict == "errors 0 of 90"
    assert StageLine(stage, "done", 1, "2").verdict == "go on"


def test_the_way_back_counts_who_is_there_and_who_is_not() -> None:
    back = RevertView(returned=3, returning=1, silent=2, failed=0)
    rollout = RolloutView("r1", "digits", "2", "aborted", 0, [StageView("100%", ["n1"])], "", 0.0, 0.0, revert=back)

    assert rollout_line(rollout, {}, 9.0).way_back == "3 of 6 nodes returned, 1 returning, 2 silent"
    assert rollout_line(replace(rollout, revert=None), {}, 9.0).way_back == ""
