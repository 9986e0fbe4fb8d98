"""The rollout's table and document."""

import msgspec
import pytest

from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import machine
from ganglion.hub.domain.rollouts.document import HISTORY_MAX, Cause, Previous, Rollout, RolloutState, Stage
from ganglion.hub.domain.rollouts.table import OPEN_STATES, TRANSITIONS, RolloutEffect, RolloutEvent
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateFinding, GateSettings

START_S = 1000.0


def by(at_s: float = START_S, *, actor: str = "ada", reason: str = "because") -> Cause:
    return Cause(at_s, actor, reason)


def draft(*stages: tuple[str, ...]) -> Rollout:
    return Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=tuple(Stage(share="50%", node_ids=ids) for ids in stages),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        created_at_s=START_S,
        updated_at_s=START_S,
    )


def started(*stages: tuple[str, ...]) -> Rollout:
    return machine.begin(draft(*stages or (("a",), ("b", "c"))), by()).rollout


def after(rollout: Rollout, *events: RolloutEvent, at_s: float = START_S) -> Rollout:
    for event in events:
        rollout = machine.handle(rollout, event, by(at_s)).rollout
    return rollout


def gone_on(rollout: Rollout, now_s: float = START_S + 60) -> machine.Decision:
    return machine.judged(rollout, Verdict(Answer.GO_ON, "all is well"), now_s=now_s)


def test_a_rollout_begins_with_its_first_stage() -> None:
    decision = machine.begin(draft(("a",), ("b", "c")), by())

    assert decision.effect is RolloutEffect.ASSIGN_STAGE
    assert decision.rollout.current.started_at_s == START_S
    assert decision.rollout.stages[1].started_at_s is None


def test_a_verdict_to_go_on_starts_the_next_stage() -> None:
    decision = gone_on(started())

    assert (decision.rollout.stage, decision.effect) == (1, RolloutEffect.ASSIGN_STAGE)
    assert decision.rollout.current.started_at_s == START_S + 60
    assert decision.rollout.stages[0].verdict == "go_on"


def test_after_the_last_stage_a_rollout_is_completed_and_its_version_becomes_the_default() -> None:
    decision = gone_on(gone_on(started()).rollout)

    assert (decision.rollout.state, decision.effect) == (RolloutState.COMPLETED, RolloutEffect.MAKE_DEFAULT)


def test_a_verdict_to_wait_changes_nothing_but_what_is_shown() -> None:
    before = started()

    decision = machine.judged(before, Verdict(Answer.WAIT, "3 of 100 answers"), now_s=START_S + 1)

    assert decision.effect is None
    assert (decision.rollout.state, decision.rollout.stage) == (before.state, before.stage)
    assert decision.rollout.current.verdict_reason == "3 of 100 answers"
    assert decision.rollout.history == before.history


def test_a_deadline_that_lets_people_decide_pauses_and_gives_the_stage_its_time_anew_when_it_is_resumed() -> None:
    late = Verdict(Answer.WAIT, "not decided within 60 s: 1 silent", pauses=True)

    paused = machine.judged(started(), late, now_s=START_S + 60).rollout
    resumed = after(paused, RolloutEvent.RESUME, at_s=START_S + 90)

    assert paused.state is RolloutState.PAUSED
    assert paused.history[-1].reason == "not decided within 60 s: 1 silent"
    assert resumed.state is RolloutState.RUNNING
    assert resumed.waited_s(START_S + 91) == 1.0


def test_what_each_rule_found_is_kept_with_the_stage() -> None:
    found = GateFinding("errors", "wait", "errors 3 of 100", figure=0.03, limit=0.02, sample=100)

    decision = machine.judged(started(), Verdict(Answer.WAIT, "errors 3 of 100", (found,)), now_s=START_S + 1)

    assert decision.rollout.current.findings == (found,)


def test_a_verdict_to_abort_gives_the_old_versions_back_and_keeps_the_reason() -> None:
    decision = machine.judged(started(), Verdict(Answer.ABORT, "errors 9 of 20"), now_s=START_S + 5)

    assert (decision.rollout.state, decision.effect) == (RolloutState.ABORTED, RolloutEffect.RESTORE)
    assert decision.rollout.reason == "errors 9 of 20"
    assert decision.rollout.history[-1] == documents.HistoryEntry(START_S + 5, "aborted", "gate", "errors 9 of 20")


def test_a_paused_rollout_never_goes_on_and_is_still_aborted_when_it_must_be() -> None:
    paused = after(started(), RolloutEvent.PAUSE)

    held = gone_on(paused)
    ended = machine.judged(paused, Verdict(Answer.ABORT, "errors"), now_s=START_S + 9)

    assert (held.rollout.state, held.rollout.stage, held.effect) == (RolloutState.PAUSED, 0, None)
    assert ended.rollout.state is RolloutState.ABORTED


@pytest.mark.parametrize("event", [RolloutEvent.PAUSE, RolloutEvent.ABORT])
def test_saying_it_twice_is_saying_it_once(event: RolloutEvent) -> None:
    once = after(started(), event)

    assert machine.handle(once, event, by(START_S + 10)) == machine.Decision(once)


def test_resuming_a_running_rollout_changes_nothing() -> None:
    running = started()

    assert machine.handle(running, RolloutEvent.RESUME, by()).rollout is running


@pytest.mark.parametrize("event", [RolloutEvent.PAUSE, RolloutEvent.RESUME, RolloutEvent.GO_ON, RolloutEvent.FINISH])
def test_an_ended_rollout_takes_no_further_order(event: RolloutEvent) -> None:
    ended = after(started(), RolloutEvent.ABORT)

    with pytest.raises(IllegalTransition):
        machine.handle(ended, event, by())


def test_a_completed_rollout_cannot_be_aborted() -> None:
    completed = gone_on(started(("a",))).rollout

    with pytest.raises(IllegalTransition):
        machine.handle(completed, RolloutEvent.ABORT, by())


def test_every_open_state_can_be_aborted() -> None:
    assert all(TRANSITIONS.allows(state, RolloutEvent.ABORT) for state in OPEN_STATES)


def test_a_pause_does_not_use_up_the_deadline() -> None:
    paused = after(started(), RolloutEvent.PAUSE, at_s=START_S + 10)
    resumed = after(paused, RolloutEvent.RESUME, at_s=START_S + 500)

    assert paused.waited_s(START_S + 400) == 10.0
    assert resumed.waited_s(START_S + 520) == 30.0


def test_the_soak_counts_from_the_newest_commit_of_the_stage_and_not_of_earlier_ones() -> None:
    second = gone_on(started()).rollout

    noted = documents.with_committed(documents.with_committed(second, ["a"], now_s=START_S), ["b"], now_s=START_S + 70)

    assert second.soaked_s(START_S + 100) is None
    assert noted.soaked_s(START_S + 100) == 30.0


def test_a_commit_is_noted_once_with_its_first_time() -> None:
    noted = documents.with_committed(started(), ["a"], now_s=START_S)

    assert documents.with_committed(noted, ["a"], now_s=START_S + 50) is noted


def test_what_a_node_had_before_is_never_overwritten() -> None:
    noted = documents.with_previous(started(), {"a": Previous("1", "int8")})

    assert documents.with_previous(noted, {"a": Previous("9", "fp32")}).previous == {"a": Previous("1", "int8")}


def test_promote_starts_the_next_stage_in_the_name_of_a_person() -> None:
    decision = machine.promote(started(), by(actor="ada", reason="tested by hand"))

    assert (decision.rollout.stage, decision.effect) == (1, RolloutEffect.ASSIGN_STAGE)
    assert [(entry.event, entry.actor) for entry in decision.rollout.history[-2:]] == [
        ("promoted", "ada"),
        ("stage_started", "ada"),
    ]


def test_promoting_a_stage_that_was_left_already_changes_nothing() -> None:
    promoted = machine.promote(started(), by(), stage=0).rollout
    completed = machine.promote(promoted, by(), stage=1).rollout

    assert machine.promote(promoted, by(), stage=0).rollout is promoted
    assert machine.promote(completed, by(), stage=1).rollout is completed


def test_a_stage_that_has_not_come_cannot_be_promoted() -> None:
    with pytest.raises(IllegalTransition):
        machine.promote(started(), by(), stage=1)


def test_a_paused_rollout_is_not_promoted() -> None:
    with pytest.raises(IllegalTransition):
        machine.promote(after(started(), RolloutEvent.PAUSE), by())


def test_the_history_is_bounded_and_keeps_who_started_it() -> None:
    rollout = started()
    for _ in range(HISTORY_MAX):
        rollout = after(rollout, RolloutEvent.PAUSE, RolloutEvent.RESUME)

    assert len(rollout.history) == HISTORY_MAX
    assert rollout.history[0].event == "started"


def test_the_document_survives_being_stored() -> None:
    rollout = documents.with_previous(started(), {"a": Previous("1", "int8"), "b": None})

    assert msgspec.json.decode(msgspec.json.encode(rollout), type=Rollout) == rollout
