import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
import typer

from ganglion.core.errors import HubUnreachable, Unavailable
from ganglion.entrypoints.cli import rollout_watch
from ganglion.entrypoints.cli.context import HubOptions, Session
from ganglion.entrypoints.cli.output import OutputFormat
from ganglion.wire.rollout_resources import RolloutEntry, RolloutView, StageView


class ScriptedRollout:
    """A hub that knows one rollout, which is another one at each look."""

    def __init__(self, looks: Sequence[RolloutView | HubUnreachable]) -> None:
        self._looks = iter(looks)

    def rollout(self, rollout_id: str) -> RolloutView:
        look = next(self._looks)
        if isinstance(look, HubUnreachable):
            raise look
        return look


def rollout_in(
    state: str, *, verdict: str = "wait", events: Sequence[str] = ("started",), reason: str = ""
) -> RolloutView:
    history = [RolloutEntry(float(index), event, "ana", "") for index, event in enumerate(events)]
    stages = [StageView("34%", ["gate-1"], 0.0, verdict), StageView("100%", ["gate-1", "gate-2"])]
    return RolloutView("r-1", "digits", "2", state, 0, stages, reason, 0.0, 1.0, history)


def session_with(looks: Sequence[RolloutView | HubUnreachable], output: OutputFormat) -> Session:
    session = Session(HubOptions(), output)
    session.__dict__["client"] = ScriptedRollout(looks)
    return session


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_watch, "_POLL_S", 0.0)


def watch(
    *looks: RolloutView | HubUnreachable, output: OutputFormat = OutputFormat.TABLE, timeout_s: float = 60.0
) -> None:
    rollout_watch.watch(session_with(looks, output), "r-1", timeout_s=timeout_s)


def test_a_completed_rollout_ends_the_watch_and_each_change_was_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    running = rollout_in("running")

    watch(running, running, rollout_in("completed", verdict="go_on", events=("started", "completed")))

    assert capsys.readouterr().out.splitlines() == [
        "1970-01-01 00:00:00Z  started by ana",
        "digits:2 is running, stage 1 of 2 (34%), gate: wait",
        "1970-01-01 00:00:01Z  completed by ana",
        "digits:2 is completed, stage 1 of 2 (34%), gate: go_on",
    ]


def test_an_aborted_rollout_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        watch(rollout_in("aborted", reason="agreement 0.1 is below 0.8"))

    assert ended.value.exit_code == 1
    assert "agreement 0.1 is below 0.8" in capsys.readouterr().out


def test_a_hub_that_restarts_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    watch(rollout_in("running"), HubUnreachable("the hub cannot be reached"), rollout_in("completed"))

    assert "the hub cannot be reached; trying again" in capsys.readouterr().err


def test_programs_get_one_value_per_change(capsys: pytest.CaptureFixture[str]) -> None:
    running = rollout_in("running")

    watch(running, running, rollout_in("completed"), output=OutputFormat.JSON)

    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["running", "completed"]


def test_a_watch_that_takes_too_long_says_that_the_rollout_goes_on() -> None:
    with pytest.raises(Unavailable, match="it goes on without this"):
        watch(rollout_in("running"), timeout_s=0.0)


def test_a_history_that_dropped_old_entries_still_tells_the_new_ones(capsys: pytest.CaptureFixture[str]) -> None:
    full = rollout_in("running", events=("started", "paused", "resumed"))
    started, _, resumed = full.history
    later = replace(full, state="completed", history=[started, resumed, RolloutEntry(3.0, "completed", "gate", "")])

    watch(full, later)

    said = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("1970")]
    assert said == ["started", "paused", "resumed", "completed"]
