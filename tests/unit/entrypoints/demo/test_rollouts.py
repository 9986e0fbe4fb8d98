"""How the demo judges whether a dry run was kept."""

import pytest

from ganglion.entrypoints.demo.rollouts import are_kept, found_lines
from ganglion.wire.rollout_resources import GateFinding, StageView

PLANNED = [["n1"], ["n2", "n3"]]


@pytest.mark.parametrize(
    "commits",
    [[(1.0, "n1"), (2.0, "n3"), (3.0, "n2")], [(3.0, "n2"), (1.0, "n1"), (2.0, "n3"), (4.0, "n1")]],
)
def test_a_plan_is_kept_when_its_nodes_commit_stage_by_stage(commits: list[tuple[float, str]]) -> None:
    assert are_kept(PLANNED, commits)


@pytest.mark.parametrize(
    "commits",
    [
        [(1.0, "n2"), (2.0, "n1"), (3.0, "n3")],
        [(1.0, "n1"), (2.0, "n2")],
        [(1.0, "n1"), (2.0, "n2"), (3.0, "n3"), (4.0, "n4")],
    ],
)
def test_another_order_a_node_too_few_and_a_node_too_many_break_a_plan(commits: list[tuple[float, str]]) -> None:
    assert not are_kept(PLANNED, commits)


def test_what_was_measured_has_a_line_of_its_own_and_what_was_counted_shares_one() -> None:
    stage = StageView(
        "100%",
        ["n1"],
        findings=[
            GateFinding("errors", "go_on", "errors 0 of 9 (0.0%, limit 2.0%)", figure=0.0, limit=0.02),
            GateFinding("updates", "go_on", "no node rolled back"),
            GateFinding("answers", "go_on", "9 answers", figure=9.0, limit=5.0),
        ],
    )

    assert found_lines(stage) == ["errors 0 of 9 (0.0%, limit 2.0%)", "no node rolled back; 9 answers"]
