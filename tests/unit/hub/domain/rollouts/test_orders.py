"""Approve, skip and retry."""

import msgspec
import pytest

from ganglion.core.errors import Conflict
from ganglion.core.identity_errors import Forbidden
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import machine, orders
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState, Stage, Terms
from ganglion.hub.domain.rollouts.table import RolloutEffect, RolloutEvent
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

START_S = 1000.0
LATER_S = START_S + 500.0
NAMES = {"a": "gate-a", "b": "gate-b", "c": "gate-c"}


def by(actor: str = "bob", at_s: float = LATER_S) -> Cause:
    return Cause(at_s, actor, "because")


def ordered(terms: Terms) -> Rollout:
    draft = Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=(Stage(share="2", node_ids=("a", "b")), Stage(share="100%", node_ids=("c",))),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        terms=terms,
        created_at_s=START_S,
        updated_at_s=START_S,
    )
    return machine.ordered(draft, by("ada", START_S))


def running(terms: Terms | None = None) -> Rollout:
    begun = machine.handle(ordered(terms or Terms()), RolloutEvent.BEGIN, by("ada", START_S)).rollout
    return documents.with_given(begun, ["a", "b"], now_s=START_S)


def events(rollout: Rollout) -> list[str]:
    return [entry.event for entry in rollout.history]


# --- approve --------------------------------------------------------------------------------------


def test_one_person_counts_once() -> None:
    waiting = ordered(Terms(approvals=2))

    once = orders.approve(waiting, by("bob")).rollout
    twice = orders.approve(once, by("bob")).rollout

    assert twice is once
    assert once.missing_approvals(0) == 1


def test_whoever_started_it_never_counts() -> None:
    with pytest.raises(Forbidden, match="ada started this rollout"):
        orders.approve(ordered(Terms(approvals=1)), by("ada"))


def test_an_approval_stands_in_the_history_with_its_stage_and_reason() -> None:
    approved = orders.approve(ordered(Terms(approvals=1)), by("bob"), stage=1).rollout

    assert approved.stages[1].approved_by == ("bob",)
    assert (approved.history[-1].actor, approved.history[-1].reason) == ("bob", "stage 2 of 2: because")


def test_enough_approvals_give_the_word_back_to_the_gate() -> None:
    asked = machine.judged(running(Terms(approvals=1)), Verdict(Answer.GO_ON, "fine"), now_s=LATER_S).rollout

    approved = orders.approve(asked, by("bob")).rollout

    assert (asked.state, approved.state) == (RolloutState.AWAITING_APPROVAL, RolloutState.RUNNING)
    assert approved.stage == 0


def test_approving_a_stage_that_has_started_changes_nothing() -> None:
    rollout = running(Terms(approvals=1))

    assert orders.approve(rollout, by("bob"), stage=0).rollout is rollout


@pytest.mark.parametrize(("terms", "stage"), [(Terms(), 0), (Terms(approvals=1), 2), (Terms(approvals=1), -1)])
def test_what_needs_no_approval_or_is_not_there_cannot_be_approved(terms: Terms, stage: int) -> None:
    with pytest.raises(Conflict):
        orders.approve(ordered(terms), by("bob"), stage=stage)


def test_an_approval_that_comes_twice_does_not_let_the_next_stage_start_too() -> None:
    approved = orders.approve(ordered(Terms(approvals=1)), by("bob")).rollout
    running = machine.handle(approved, RolloutEvent.BEGIN, by("hub")).rollout

    again, named = orders.approve(running, by("bob")).rollout, orders.approve(running, by("bob"), stage=1).rollout
    other = orders.approve(running, by("cyd")).rollout

    assert again is running
    assert (named.stages[1].approved_by, other.stages[1].approved_by) == (("bob",), ("cyd",))


def test_an_ended_rollout_is_not_approved() -> None:
    ended = machine.handle(running(Terms(approvals=1)), RolloutEvent.ABORT, by()).rollout

    with pytest.raises(IllegalTransition):
        orders.approve(ended, by("bob"))


# --- skip -----------------------------------------------------------------------------------------


def test_skipping_leaves_the_silent_nodes_behind_and_does_not_pass_the_gate_by() -> None:
    rollout = documents.with_committed(running(), ["a"], now_s=START_S)

    decision = orders.skip(rollout, by(), names={"b": "gate-b"})

    assert decision.rollout.left_behind == {"b": LATER_S}
    assert (decision.rollout.stage, decision.effect) == (0, None)
    assert decision.rollout.history[-1].reason == "1 node (gate-b) left behind: because"


def test_skipping_twice_is_skipping_once() -> None:
    once = orders.skip(documents.with_committed(running(), ["a"], now_s=START_S), by(), names={"b": "gate-b"}).rollout

    assert orders.skip(once, by(), names={"b": "gate-b"}).rollout is once


def test_a_stage_of_which_nobody_told_anything_cannot_be_judged_by_the_others() -> None:
    with pytest.raises(Conflict, match="no node of this stage has committed"):
        orders.skip(running(), by(), names={"a": "gate-a", "b": "gate-b"})


@pytest.mark.parametrize("act", [orders.skip, orders.retry])
def test_what_has_not_begun_has_nobody_to_skip_or_retry(act: object) -> None:
    assert callable(act)
    with pytest.raises(IllegalTransition):
        act(ordered(Terms(starts_at_s=9000.0)), by(), names=NAMES)


# --- retry ----------------------------------------------------------------------------------------


def test_a_retry_gives_those_that_did_not_commit_the_version_anew() -> None:
    rollout = documents.with_rolled_back(
        documents.with_committed(running(), ["a"], now_s=START_S), ["b"], now_s=START_S
    )

    decision = orders.retry(rollout, by(), names=NAMES)

    assert decision.effect is RolloutEffect.ASSIGN_STAGE
    assert (decision.rollout.retried_at_s, decision.rollout.attempts) == ({"b": LATER_S}, {"b": 1})
    assert (decision.rollout.rolled_back, decision.rollout.was_given("b")) == ({}, False)


def test_a_retry_does_not_touch_later_stages_or_nodes_that_left() -> None:
    decision = orders.retry(running(), by(), names={"a": "gate-a", "c": "gate-c"})

    assert set(decision.rollout.attempts) == {"a"}


def test_the_same_retry_twice_is_one() -> None:
    once = orders.retry(running(), by(), names=NAMES).rollout
    given = documents.with_given(once, ["a", "b"], now_s=LATER_S)

    assert orders.retry(given, by(at_s=LATER_S + 5), names=NAMES).rollout is given


def test_a_second_retry_after_a_while_is_another_attempt() -> None:
    once = documents.with_given(orders.retry(running(), by(), names=NAMES).rollout, ["a", "b"], now_s=LATER_S)

    again = orders.retry(once, by(at_s=LATER_S + orders.RETRY_PAUSE_S), names=NAMES).rollout

    assert again.attempts == {"a": 2, "b": 2}
    assert events(again).count("retried") == 2


def test_who_was_left_behind_is_waited_for_again_after_a_retry() -> None:
    behind = orders.skip(documents.with_committed(running(), ["a"], now_s=START_S), by(), names={"b": "gate-b"}).rollout

    assert orders.retry(behind, by(), names=NAMES).rollout.left_behind == {}


def test_the_document_of_an_older_release_counts_as_given_what_it_noted_before() -> None:
    old = msgspec.structs.replace(running(), given_at_s={}, previous={"a": None})

    assert old.was_given("a")
    assert not old.was_given("b")
