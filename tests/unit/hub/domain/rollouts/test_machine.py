"""Before the first stage, between stages, and at the deadline of the whole."""

import msgspec
import pytest

from ganglion.core.errors import Conflict
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import machine
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState, Stage, Terms
from ganglion.hub.domain.rollouts.stages import PlannedStage
from ganglion.hub.domain.rollouts.table import RolloutEffect, RolloutEvent
from ganglion.hub.domain.rollouts.turns import Turn
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

START_S = 1000.0
WELL = Verdict(Answer.GO_ON, "all is well")


def by(at_s: float = START_S, actor: str = "ada") -> Cause:
    return Cause(at_s, actor, "because")


def ordered(terms: Terms) -> Rollout:
    draft = Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=(Stage(share="1", node_ids=("a",)), Stage(share="100%", node_ids=("b", "c"))),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        terms=terms,
        created_at_s=START_S,
        updated_at_s=START_S,
    )
    return machine.ordered(draft, by())


def running(terms: Terms) -> Rollout:
    return machine.handle(ordered(terms), RolloutEvent.BEGIN, by()).rollout


def with_approval(rollout: Rollout, index: int, *names: str) -> Rollout:
    stage = msgspec.structs.replace(rollout.stages[index], approved_by=names)
    return documents.with_stage(rollout, index, stage)


# --- before the first stage -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "ahead", "now_s", "event"),
    [
        (Terms(), 0, START_S, RolloutEvent.BEGIN),
        (Terms(starts_at_s=2000.0), 0, 1999.0, None),
        (Terms(starts_at_s=2000.0), 1, 1999.0, None),
        (Terms(starts_at_s=2000.0), 0, 2000.0, RolloutEvent.BEGIN),
        (Terms(if_busy="queue"), 1, START_S, RolloutEvent.QUEUE),
        (Terms(if_busy="refuse"), 1, START_S, RolloutEvent.ABORT),
        (Terms(approvals=1), 0, START_S, RolloutEvent.ASK),
        (Terms(approvals=1, if_busy="queue"), 2, START_S, RolloutEvent.QUEUE),
    ],
)
def test_first_its_time_then_its_turn_then_people(
    terms: Terms, ahead: int, now_s: float, event: RolloutEvent | None
) -> None:
    assert machine.before_begin(ordered(terms), ahead=ahead, now_s=now_s) is event


def test_a_rollout_that_has_begun_waits_for_none_of_this() -> None:
    assert machine.before_begin(running(Terms()), ahead=3, now_s=START_S) is None


def test_a_paused_one_does_not_begin_when_its_time_comes() -> None:
    paused = machine.handle(ordered(Terms(starts_at_s=2000.0)), RolloutEvent.PAUSE, by()).rollout

    assert machine.before_begin(paused, ahead=0, now_s=3000.0) is None


def test_resuming_what_had_not_begun_lets_it_wait_again() -> None:
    paused = machine.handle(ordered(Terms(starts_at_s=2000.0)), RolloutEvent.PAUSE, by()).rollout

    resumed = machine.resumed(paused, by()).rollout

    assert resumed.state is RolloutState.SCHEDULED
    assert not resumed.has_begun


def test_whoever_stood_in_line_keeps_the_place_through_a_pause() -> None:
    queued = machine.handle(ordered(Terms(if_busy="queue")), RolloutEvent.QUEUE, by(1500.0)).rollout

    paused = machine.handle(queued, RolloutEvent.PAUSE, by(1600.0)).rollout
    again = machine.handle(machine.resumed(paused, by(1700.0)).rollout, RolloutEvent.QUEUE, by(1700.0)).rollout

    assert again.waiting_since_s == 1500.0


def test_planning_again_keeps_what_people_approved() -> None:
    approved = with_approval(ordered(Terms(approvals=1)), 1, "bob")

    again = documents.replanned(approved, [PlannedStage("5%", ("z",)), PlannedStage("100%", ("a", "b", "c", "d"))])

    assert [stage.approved_by for stage in again.stages] == [(), ("bob",)]


# --- between stages -------------------------------------------------------------------------------


def test_a_stage_that_needs_people_does_not_start_on_the_gates_word() -> None:
    decision = machine.judged(running(Terms(approvals=1)), WELL, now_s=START_S + 60)

    assert (decision.rollout.state, decision.rollout.stage) == (RolloutState.AWAITING_APPROVAL, 0)
    assert decision.effect is None
    assert "stage 2 of 2 needs 1 approval by people other than ada" in decision.rollout.reason


def test_a_stage_that_was_approved_ahead_of_time_starts_on_the_gates_word() -> None:
    decision = machine.judged(with_approval(running(Terms(approvals=1)), 1, "bob"), WELL, now_s=START_S + 60)

    assert (decision.rollout.state, decision.rollout.stage) == (RolloutState.RUNNING, 1)
    assert decision.effect is RolloutEffect.ASSIGN_STAGE


def test_what_waits_for_people_is_still_aborted_when_it_must_be() -> None:
    waiting = machine.judged(running(Terms(approvals=1)), WELL, now_s=START_S + 60).rollout

    decision = machine.judged(waiting, Verdict(Answer.ABORT, "errors"), now_s=START_S + 90)

    assert (decision.rollout.state, decision.effect) == (RolloutState.ABORTED, RolloutEffect.RESTORE)


def test_the_time_that_people_take_is_not_the_stages_time() -> None:
    waiting = machine.judged(running(Terms(approvals=1)), WELL, now_s=START_S + 60).rollout

    approved = machine.handle(waiting, RolloutEvent.APPROVE, by(START_S + 5000)).rollout

    assert waiting.waited_s(START_S + 4000) == 60.0
    assert approved.waited_s(START_S + 5010) == 70.0


def test_a_promotion_does_not_replace_an_approval() -> None:
    with pytest.raises(Conflict, match="needs 1 approval"):
        machine.promote(running(Terms(approvals=1)), by())


def test_what_waits_for_people_is_not_promoted() -> None:
    waiting = machine.judged(running(Terms(approvals=1)), WELL, now_s=START_S + 60).rollout

    with pytest.raises(IllegalTransition):
        machine.promote(waiting, by())


def test_the_last_stage_does_not_end_before_everybody_was_given_the_version() -> None:
    last = machine.judged(running(Terms()), WELL, now_s=START_S + 60).rollout

    held = machine.judged(last, WELL, now_s=START_S + 90, turn=Turn(due=("c",)))
    ended = machine.judged(last, WELL, now_s=START_S + 90)

    assert held.rollout.state is RolloutState.RUNNING
    assert ended.rollout.state is RolloutState.COMPLETED


def test_nodes_that_keep_others_from_their_turn_are_brought_before_a_person_at_the_deadline() -> None:
    last = machine.judged(running(Terms()), WELL, now_s=START_S + 60).rollout
    late_s = START_S + 61 + last.gate.deadline_s

    decision = machine.judged(last, WELL, now_s=late_s, turn=Turn(waiting=("c",)))
    resumed = machine.resumed(decision.rollout, by(late_s)).rollout

    assert decision.rollout.state is RolloutState.PAUSED
    assert "skip, retry or abort" in decision.rollout.reason
    assert machine.judged(resumed, WELL, now_s=late_s, turn=Turn(waiting=("c",))).rollout.state is RolloutState.RUNNING


def test_a_rollout_for_a_part_of_the_fleet_does_not_become_the_default() -> None:
    last = machine.judged(running(Terms(group="canary")), WELL, now_s=START_S + 60).rollout

    decision = machine.judged(last, WELL, now_s=START_S + 90)

    assert (decision.rollout.state, decision.effect) == (RolloutState.COMPLETED, RolloutEffect.LET_FOLLOW)


# --- the deadline of the whole --------------------------------------------------------------------


@pytest.mark.parametrize(("act", "state"), [("pause", RolloutState.PAUSED), ("abort", RolloutState.ABORTED)])
def test_what_is_not_done_by_the_deadline_is_paused_or_aborted_as_declared(act: str, state: RolloutState) -> None:
    rollout = running(Terms(deadline_at_s=2000.0, deadline_act=act))

    before, after = machine.overdue(rollout, now_s=1999.0), machine.overdue(rollout, now_s=2000.0)

    assert before is None
    assert after is not None
    assert after.rollout.state is state
    assert after.rollout.reason == "not done by its deadline: 0 of 3 nodes have committed"


def test_a_deadline_does_its_work_once_so_that_a_person_may_go_on() -> None:
    decision = machine.overdue(running(Terms(deadline_at_s=2000.0)), now_s=2000.0)
    assert decision is not None

    resumed = machine.resumed(decision.rollout, by(2500.0)).rollout

    assert machine.overdue(resumed, now_s=3000.0) is None
    assert resumed.state is RolloutState.RUNNING


def test_a_deadline_counts_for_what_has_not_begun_too() -> None:
    decision = machine.overdue(ordered(Terms(if_busy="queue", deadline_at_s=2000.0)), now_s=2000.0)

    assert decision is not None
    assert decision.rollout.state is RolloutState.PAUSED


def test_why_an_order_is_refused_is_said_in_words() -> None:
    with pytest.raises(IllegalTransition) as refused:
        machine.handle(ordered(Terms(starts_at_s=2000.0)), RolloutEvent.GO_ON, by())

    words = machine.why_not(refused.value)
    assert words == "the rollout is scheduled: going on is not possible; it has not begun: its time has not come"
