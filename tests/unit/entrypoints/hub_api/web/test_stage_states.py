"""How the page names the stages of a rollout."""

import pytest

from ganglion.entrypoints.hub_api.web.overview import stage_state
from ganglion.wire.rollout_resources import RolloutView, StageView


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
