"""What happens to a rollout: each function returns the next document and the effect that goes with it. No I/O.

The order before the first stage: its time comes, then its turn among the rollouts of the model, then people approve.
Between stages: the gate says yes, then people approve, then the gate is asked once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ganglion.core.errors import Conflict
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState, noted, with_stage
from ganglion.hub.domain.rollouts.table import (
    OPEN_STATES,
    REFUSED,
    SAID_AGAIN,
    TRANSITIONS,
    WAITING_STATES,
    RolloutEffect,
    RolloutEvent,
)
from ganglion.hub.domain.rollouts.turns import Turn

GATE, HUB = "gate", "hub"
"""The actors of what nobody ordered: a verdict, and the time or the turn that has come."""

_EFFECTS: Mapping[RolloutEvent, RolloutEffect] = {
    RolloutEvent.BEGIN: RolloutEffect.ASSIGN_STAGE,
    RolloutEvent.GO_ON: RolloutEffect.ASSIGN_STAGE,
    RolloutEvent.FINISH: RolloutEffect.MAKE_DEFAULT,
    RolloutEvent.ABORT: RolloutEffect.RESTORE,
}
_STOPS_THE_CLOCK = frozenset({RolloutState.PAUSED, RolloutState.AWAITING_APPROVAL})


@dataclass(frozen=True, slots=True)
class Decision:
    """The next document, and the effect that goes with it, if any."""

    rollout: Rollout
    effect: RolloutEffect | None = None


def begin(draft: Rollout, cause: Cause) -> Decision:
    """Order a rollout that was only planned, and start its first stage at once."""
    return handle(ordered(draft, cause), RolloutEvent.BEGIN, cause)


def ordered(draft: Rollout, cause: Cause) -> Rollout:
    """Return a planned rollout with the person who wants it. Nobody is given anything yet."""
    waits = msgspec.structs.replace(draft, state=RolloutState.SCHEDULED, started_by=cause.actor)
    return noted(waits, "started", cause)


def before_begin(rollout: Rollout, *, ahead: int, now_s: float) -> RolloutEvent | None:
    """Return what comes about next for a rollout that has not begun, or None.

    `ahead`: rollouts of the model that go before it.
    """
    if rollout.has_begun or rollout.state not in WAITING_STATES:
        return None
    is_due = rollout.terms.starts_at_s is None or now_s >= rollout.terms.starts_at_s
    if rollout.state is RolloutState.SCHEDULED and not is_due:
        return None
    if ahead and rollout.state is not RolloutState.AWAITING_APPROVAL:
        return RolloutEvent.QUEUE if rollout.terms.if_busy == "queue" else RolloutEvent.ABORT
    if rollout.missing_approvals(0):
        return RolloutEvent.ASK
    return RolloutEvent.BEGIN


def handle(rollout: Rollout, event: RolloutEvent, cause: Cause) -> Decision:
    """Return what follows from `event`. Raises: IllegalTransition: the rollout is past that, or not so far."""
    if (rollout.state, event) in SAID_AGAIN:
        return Decision(rollout)
    state = TRANSITIONS.next(rollout.state, event)
    after = _with_clock(rollout, state, cause.at_s)
    after = msgspec.structs.replace(after, state=state, reason=cause.reason, updated_at_s=cause.at_s)
    match event:
        case RolloutEvent.BEGIN:
            after = _start_stage(_in_line(after, cause), 0, cause)
        case RolloutEvent.GO_ON:
            assert not rollout.is_last_stage, "after the last stage a rollout finishes"
            after = _start_stage(after, rollout.stage + 1, cause)
        case RolloutEvent.QUEUE | RolloutEvent.ASK:
            after = noted(_in_line(after, cause), state.value, cause)
        case RolloutEvent.WAIT | RolloutEvent.RESUME:
            after = noted(after, "resumed", cause)
        case RolloutEvent.APPROVE:
            pass  # Each approval stands in the history already.
        case RolloutEvent.PAUSE | RolloutEvent.FINISH:
            after = noted(after, state.value, cause)
        case RolloutEvent.ABORT:
            after = msgspec.structs.replace(noted(after, state.value, cause), aborted_at_s=cause.at_s)
    return Decision(after, _effect(rollout, event))


def resumed(rollout: Rollout, cause: Cause) -> Decision:
    """Go on with a paused rollout; one that had not begun waits again. Raises: IllegalTransition: it has ended."""
    is_waiting = rollout.state is RolloutState.PAUSED and not rollout.has_begun
    return handle(rollout, RolloutEvent.WAIT if is_waiting else RolloutEvent.RESUME, cause)


def advance(rollout: Rollout, cause: Cause) -> Decision:
    """Start the next stage, or finish when there is none. Raises: IllegalTransition: it is not running."""
    return handle(rollout, RolloutEvent.FINISH if rollout.is_last_stage else RolloutEvent.GO_ON, cause)


def promote(rollout: Rollout, cause: Cause, *, stage: int | None = None, left: int = 0) -> Decision:
    """Go on because a person says so. With `stage`, saying it twice is saying it once.

    `left`: nodes of the stages so far whose turn has not come. Raises: IllegalTransition: it is not running, or `stage`
    has not come yet. Conflict: the next stage needs approvals, which one person's word does not replace; or it would
    end before everybody was given the version.
    """
    stages_left = rollout.stage + (rollout.state is RolloutState.COMPLETED)
    if stage is not None and stage < stages_left:
        return Decision(rollout)
    if (stage is not None and stage > rollout.stage) or rollout.state is not RolloutState.RUNNING:
        raise IllegalTransition(rollout.state, RolloutEvent.GO_ON)
    if not rollout.is_last_stage and rollout.missing_approvals(rollout.next_stage):
        raise Conflict(f"{approvals_wanted(rollout)}: a promotion passes the gate by, and nobody's eyes")
    if rollout.is_last_stage and left:
        raise Conflict(f"{left} nodes still wait for their turn, and no stage follows in which they could have it")
    return advance(noted(rollout, "promoted", cause), cause)


def judged(rollout: Rollout, verdict: Verdict, *, now_s: float, turn: Turn | None = None) -> Decision:
    """Carry out the gate's verdict. One that is paused or waits is still aborted when it must be, and never goes on.

    `turn`: who of the stages so far was not given the version yet. The last stage does not end before everybody was.
    """
    shown = msgspec.structs.replace(_with_verdict(rollout, verdict), updated_at_s=now_s)
    cause = Cause(now_s, GATE, verdict.reason)
    if verdict.answer is Answer.ABORT:
        return handle(shown, RolloutEvent.ABORT, cause)
    if verdict.pauses and rollout.state is RolloutState.RUNNING and not rollout.current.is_overdue:
        return handle(_with_overdue(shown), RolloutEvent.PAUSE, cause)
    if verdict.answer is not Answer.GO_ON or rollout.state is not RolloutState.RUNNING:
        return Decision(shown)
    if rollout.is_last_stage and turn is not None and (turn.due or turn.waiting):
        return _held_back(shown, turn, now_s=now_s)
    if not rollout.is_last_stage and rollout.missing_approvals(rollout.next_stage):
        return handle(shown, RolloutEvent.ASK, Cause(now_s, GATE, f"{approvals_wanted(rollout)}; {verdict.reason}"))
    return advance(shown, cause)


def overdue(rollout: Rollout, *, now_s: float) -> Decision | None:
    """Return what the deadline of the whole rollout does, once; None when it is not over or has done its work."""
    deadline_at_s = rollout.terms.deadline_at_s
    if deadline_at_s is None or now_s < deadline_at_s or rollout.deadline_passed or rollout.state not in OPEN_STATES:
        return None
    passed = msgspec.structs.replace(rollout, deadline_passed=True, updated_at_s=now_s)
    event = RolloutEvent.ABORT if rollout.terms.deadline_act == "abort" else RolloutEvent.PAUSE
    done = len(rollout.committed)
    nodes = sum(len(stage.node_ids) for stage in rollout.stages)
    return handle(passed, event, Cause(now_s, HUB, f"not done by its deadline: {done} of {nodes} nodes have committed"))


def approvals_wanted(rollout: Rollout) -> str:
    """Return in words what the next stage waits for."""
    index = rollout.next_stage
    missing = rollout.missing_approvals(index)
    people = "1 approval" if missing == 1 else f"{missing} approvals"
    return f"stage {index + 1} of {len(rollout.stages)} needs {people} by people other than {rollout.started_by}"


def why_not(error: IllegalTransition) -> str:
    """Return in words why a rollout refuses an order."""
    because = REFUSED[RolloutState(error.state)][0]
    order = "going on" if error.event is RolloutEvent.GO_ON else error.event.value
    return f"the rollout is {error.state.value}: {order} is not possible; {because}"


def _effect(before: Rollout, event: RolloutEvent) -> RolloutEffect | None:
    effect = _EFFECTS.get(event)
    if effect is RolloutEffect.MAKE_DEFAULT and before.terms.is_limited:
        return RolloutEffect.LET_FOLLOW
    return effect


def _held_back(rollout: Rollout, turn: Turn, *, now_s: float) -> Decision:
    """Wait for those whose turn has not come; past the stage's deadline a person must say what becomes of them."""
    is_stuck = turn.waiting and not turn.due and rollout.waited_s(now_s) >= rollout.gate.deadline_s
    if not is_stuck or rollout.current.is_overdue:
        return Decision(rollout)
    reason = "the gate is content, but nodes that tell nothing keep others of their site or pair from their turn"
    return handle(_with_overdue(rollout), RolloutEvent.PAUSE, Cause(now_s, HUB, f"{reason}: skip, retry or abort"))


def _with_overdue(rollout: Rollout) -> Rollout:
    """Return the rollout with its stage's deadline spent, until a person goes on and gives it as much time again."""
    return with_stage(rollout, rollout.stage, msgspec.structs.replace(rollout.current, is_overdue=True))


def _in_line(rollout: Rollout, cause: Cause) -> Rollout:
    if rollout.waiting_since_s is not None:
        return rollout
    return msgspec.structs.replace(rollout, waiting_since_s=cause.at_s)


def _start_stage(rollout: Rollout, index: int, cause: Cause) -> Rollout:
    stage = msgspec.structs.replace(rollout.stages[index], started_at_s=cause.at_s)
    begun = with_stage(msgspec.structs.replace(rollout, stage=index), index, stage)
    nodes = "1 node" if len(stage.node_ids) == 1 else f"{len(stage.node_ids)} nodes"
    size = f"stage {index + 1} of {len(rollout.stages)} ({stage.share}: {nodes})"
    told = f"{size}; {cause.reason}" if cause.reason else size
    return noted(begun, "stage_started", Cause(cause.at_s, cause.actor, told))


def _with_verdict(rollout: Rollout, verdict: Verdict) -> Rollout:
    stage = msgspec.structs.replace(
        rollout.current,
        verdict=verdict.answer.value,
        verdict_reason=verdict.reason,
        findings=verdict.findings,
    )
    return with_stage(rollout, rollout.stage, stage)


def _with_clock(rollout: Rollout, state: RolloutState, now_s: float) -> Rollout:
    """Return the rollout with the clock of its stage stopped or started, as `state` wants it."""
    if state in _STOPS_THE_CLOCK:
        stopped_at_s = rollout.paused_at_s if rollout.paused_at_s is not None else now_s
        return msgspec.structs.replace(rollout, paused_at_s=stopped_at_s)
    if rollout.paused_at_s is None:
        return rollout
    stage = rollout.current
    if stage.started_at_s is None:
        return msgspec.structs.replace(rollout, paused_at_s=None)
    # Whoever goes on after the deadline gives the stage as much time again.
    spent_s = now_s - stage.started_at_s if stage.is_overdue else stage.held_s + now_s - rollout.paused_at_s
    stage = msgspec.structs.replace(stage, held_s=spent_s, is_overdue=False)
    held = with_stage(rollout, rollout.stage, stage)
    return msgspec.structs.replace(held, paused_at_s=None)
