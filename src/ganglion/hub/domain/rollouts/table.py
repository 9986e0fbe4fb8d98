"""What each event means in each state of a rollout, as tables: every pair is a step, a repetition, or refused.

Which event comes about is `rollouts.machine`'s business; a test walks the tables for gaps and dead ends.
"""

from collections.abc import Mapping
from enum import StrEnum

from ganglion.core.transitions import Transitions
from ganglion.hub.domain.rollouts.document import RolloutState


class RolloutEvent(StrEnum):
    """What can happen to a rollout."""

    WAIT = "wait"
    """Look again at what it waits for: it was paused before it began."""
    QUEUE = "queue"
    ASK = "ask"
    """The next stage needs people to let it start."""
    BEGIN = "begin"
    """Start the first stage."""
    APPROVE = "approve"
    """Enough people let the next stage start; the gate has the next word."""
    GO_ON = "go_on"
    FINISH = "finish"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class RolloutEffect(StrEnum):
    """What the shell does after it has stored the document, in the same transaction."""

    ASSIGN_STAGE = "assign_stage"
    """Give the version to the nodes of the stages so far whose turn it is."""
    RESTORE = "restore"
    MAKE_DEFAULT = "make_default"
    LET_FOLLOW = "let_follow"
    """Give the version to those who joined meanwhile; the fleet's default stays what it is."""


_S, _E = RolloutState, RolloutEvent

WAITING_STATES = (_S.SCHEDULED, _S.QUEUED, _S.AWAITING_APPROVAL)
"""In the first two, and in the third before the first stage, nobody was given anything."""
OPEN_STATES = (*WAITING_STATES, _S.RUNNING, _S.PAUSED)

TRANSITIONS: Transitions[RolloutState, RolloutEvent] = Transitions(
    {
        (_S.SCHEDULED, _E.QUEUE): _S.QUEUED,
        (_S.SCHEDULED, _E.ASK): _S.AWAITING_APPROVAL,
        (_S.SCHEDULED, _E.BEGIN): _S.RUNNING,
        (_S.SCHEDULED, _E.PAUSE): _S.PAUSED,
        (_S.SCHEDULED, _E.ABORT): _S.ABORTED,
        (_S.QUEUED, _E.ASK): _S.AWAITING_APPROVAL,
        (_S.QUEUED, _E.BEGIN): _S.RUNNING,
        # A paused one keeps its place: those behind it wait until it is resumed or aborted.
        (_S.QUEUED, _E.PAUSE): _S.PAUSED,
        (_S.QUEUED, _E.ABORT): _S.ABORTED,
        (_S.AWAITING_APPROVAL, _E.BEGIN): _S.RUNNING,
        # Back to the gate, not on to the stage: people may have taken their time, and nodes may have gone bad.
        (_S.AWAITING_APPROVAL, _E.APPROVE): _S.RUNNING,
        (_S.AWAITING_APPROVAL, _E.PAUSE): _S.PAUSED,
        (_S.AWAITING_APPROVAL, _E.ABORT): _S.ABORTED,
        (_S.RUNNING, _E.ASK): _S.AWAITING_APPROVAL,
        (_S.RUNNING, _E.GO_ON): _S.RUNNING,
        (_S.RUNNING, _E.FINISH): _S.COMPLETED,
        (_S.RUNNING, _E.PAUSE): _S.PAUSED,
        (_S.RUNNING, _E.ABORT): _S.ABORTED,
        (_S.PAUSED, _E.RESUME): _S.RUNNING,
        (_S.PAUSED, _E.WAIT): _S.SCHEDULED,
        # A pause holds the next stage back; it does not switch the protection off.
        (_S.PAUSED, _E.ABORT): _S.ABORTED,
    },
    final=frozenset({_S.COMPLETED, _S.ABORTED}),
)

SAID_AGAIN = frozenset(
    {
        (_S.SCHEDULED, _E.WAIT),
        (_S.SCHEDULED, _E.RESUME),
        (_S.QUEUED, _E.QUEUE),
        (_S.QUEUED, _E.RESUME),
        (_S.AWAITING_APPROVAL, _E.ASK),
        (_S.AWAITING_APPROVAL, _E.RESUME),
        (_S.RUNNING, _E.BEGIN),
        (_S.RUNNING, _E.APPROVE),
        (_S.RUNNING, _E.RESUME),
        (_S.PAUSED, _E.PAUSE),
        (_S.ABORTED, _E.ABORT),
    }
)
"""Saying it twice is saying it once: a reply may have been lost on the way."""

REFUSED: Mapping[RolloutState, tuple[str, frozenset[RolloutEvent]]] = {
    _S.SCHEDULED: ("it has not begun: its time has not come", frozenset({_E.APPROVE, _E.GO_ON, _E.FINISH})),
    _S.QUEUED: (
        "it has not begun: another rollout of the model goes first",
        frozenset({_E.WAIT, _E.APPROVE, _E.GO_ON, _E.FINISH}),
    ),
    _S.AWAITING_APPROVAL: (
        "its next stage waits for approvals",
        frozenset({_E.WAIT, _E.QUEUE, _E.GO_ON, _E.FINISH}),
    ),
    _S.RUNNING: ("it is running", frozenset({_E.WAIT, _E.QUEUE})),
    _S.PAUSED: (
        "resume it first",
        frozenset({_E.QUEUE, _E.ASK, _E.BEGIN, _E.APPROVE, _E.GO_ON, _E.FINISH}),
    ),
    _S.COMPLETED: ("it has ended; to go back, roll out the version before", frozenset(_E)),
    _S.ABORTED: ("it has ended; to try again, start another rollout", frozenset(_E) - {_E.ABORT}),
}
"""By state: why, and what it refuses."""
