"""A rollout as a table and a document: what may happen next, and what the hub must then do. No I/O, no clock.

The document says for every node that was given the version what it had before, so that an abort can give
each node its own previous version back. The shell stores the document and the assignments in one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.core.transitions import IllegalTransition, Transitions
from ganglion.hub.domain.gate import Answer, Verdict
from ganglion.hub.domain.stages import PlannedStage
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

HISTORY_MAX = 200
"""Older entries are dropped, the first one (who started it) is kept."""
GATE = "gate"
"""The actor of what nobody ordered."""


class RolloutState(StrEnum):
    """Where a rollout stands."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ABORTED = "aborted"


class RolloutEvent(StrEnum):
    """What can happen to a rollout."""

    GO_ON = "go_on"
    FINISH = "finish"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class RolloutEffect(StrEnum):
    """What the shell does after it has stored the document, in the same transaction."""

    ASSIGN_STAGE = "assign_stage"
    RESTORE = "restore"
    MAKE_DEFAULT = "make_default"


_S, _E = RolloutState, RolloutEvent

OPEN_STATES = (_S.RUNNING, _S.PAUSED)

TRANSITIONS: Transitions[RolloutState, RolloutEvent] = Transitions(
    {
        (_S.RUNNING, _E.GO_ON): _S.RUNNING,
        (_S.RUNNING, _E.FINISH): _S.COMPLETED,
        (_S.RUNNING, _E.PAUSE): _S.PAUSED,
        (_S.RUNNING, _E.ABORT): _S.ABORTED,
        (_S.PAUSED, _E.RESUME): _S.RUNNING,
        # A pause holds the next stage back; it does not switch the protection off.
        (_S.PAUSED, _E.ABORT): _S.ABORTED,
    },
    final=frozenset({_S.COMPLETED, _S.ABORTED}),
)

_SAID_AGAIN = frozenset({(_S.PAUSED, _E.PAUSE), (_S.RUNNING, _E.RESUME), (_S.ABORTED, _E.ABORT)})
"""Saying it twice is saying it once: a reply may have been lost on the way."""

_EFFECTS: Mapping[RolloutEvent, RolloutEffect] = {
    _E.GO_ON: RolloutEffect.ASSIGN_STAGE,
    _E.FINISH: RolloutEffect.MAKE_DEFAULT,
    _E.ABORT: RolloutEffect.RESTORE,
}


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that a stage adds, and what the gate last said of them."""

    share: str
    node_ids: tuple[str, ...]
    started_at_s: float | None = None
    held_s: float = 0.0
    """How long the rollout was paused in this stage."""
    verdict: str = ""
    verdict_reason: str = ""


class Previous(msgspec.Struct, frozen=True):
    """What a node served of the model before this rollout."""

    version: str
    variant: str


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history, for people."""

    at_s: float
    event: str
    actor: str
    reason: str


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout. A value: every function below returns the next one."""

    rollout_id: str
    model: str
    version: str
    state: RolloutState = RolloutState.RUNNING
    stage: int = 0
    stages: tuple[Stage, ...]
    gate: GateSettings
    policy: DeploymentPolicy
    previous: dict[str, Previous | None] = {}
    """By node that was given the version; None when it had no version of the model."""
    committed: dict[str, float] = {}
    """By node: when the hub learned of its commit. The hub's clock, for a node's may be wrong."""
    paused_at_s: float | None = None
    reason: str = ""
    created_at_s: float
    updated_at_s: float
    history: tuple[HistoryEntry, ...] = ()

    @property
    def current(self) -> Stage:
        """Return the newest stage that was started."""
        return self.stages[self.stage]

    @property
    def is_last_stage(self) -> bool:
        """Say whether no stage follows."""
        return self.stage == len(self.stages) - 1

    def waited_s(self, now_s: float) -> float:
        """Return how long the current stage has run, pauses not counted."""
        started_at_s = self.current.started_at_s if self.current.started_at_s is not None else now_s
        paused_s = now_s - self.paused_at_s if self.paused_at_s is not None else 0.0
        return now_s - started_at_s - self.current.held_s - paused_s

    def soaked_s(self, now_s: float) -> float | None:
        """Return the time since the newest commit in the current stage, or None before the first."""
        seen = [self.committed[node_id] for node_id in self.current.node_ids if node_id in self.committed]
        return now_s - max(seen) if seen else None


@dataclass(frozen=True, slots=True)
class Cause:
    """When, by whom and why."""

    at_s: float
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The next document, and the effect that goes with it, if any."""

    rollout: Rollout
    effect: RolloutEffect | None = None


def begin(draft: Rollout, cause: Cause) -> Decision:
    """Start the first stage of a rollout that was only planned."""
    began = _start_stage(_noted(draft, "started", cause), 0, cause)
    return Decision(began, RolloutEffect.ASSIGN_STAGE)


def planned(stages: Iterable[PlannedStage]) -> tuple[Stage, ...]:
    """Return stages that have not been started."""
    return tuple(Stage(share=stage.share, node_ids=stage.node_ids) for stage in stages)


def handle(rollout: Rollout, event: RolloutEvent, cause: Cause) -> Decision:
    """Return what follows from `event`. Raises: IllegalTransition: the rollout is past that."""
    if (rollout.state, event) in _SAID_AGAIN:
        return Decision(rollout)
    state = TRANSITIONS.next(rollout.state, event)
    after = msgspec.structs.replace(rollout, state=state, reason=cause.reason, updated_at_s=cause.at_s)
    match event:
        case RolloutEvent.GO_ON:
            assert not rollout.is_last_stage, "after the last stage a rollout finishes"
            after = _start_stage(after, rollout.stage + 1, cause)
        case RolloutEvent.PAUSE:
            after = msgspec.structs.replace(_noted(after, "paused", cause), paused_at_s=cause.at_s)
        case RolloutEvent.RESUME:
            after = _without_pause(_noted(after, "resumed", cause), cause.at_s)
        case RolloutEvent.FINISH | RolloutEvent.ABORT:
            after = _without_pause(_noted(after, state.value, cause), cause.at_s)
    return Decision(after, _EFFECTS.get(event))


def advance(rollout: Rollout, cause: Cause) -> Decision:
    """Start the next stage, or finish when there is none. Raises: IllegalTransition: it is not running."""
    return handle(rollout, RolloutEvent.FINISH if rollout.is_last_stage else RolloutEvent.GO_ON, cause)


def promote(rollout: Rollout, cause: Cause, *, stage: int | None = None) -> Decision:
    """Go on because a person says so. With `stage`, saying it twice is saying it once.

    Raises: IllegalTransition: it is not running, or `stage` has not come yet.
    """
    stages_left = rollout.stage + (rollout.state is RolloutState.COMPLETED)
    if stage is not None and stage < stages_left:
        return Decision(rollout)
    if stage is not None and stage > rollout.stage:
        raise IllegalTransition(rollout.state, RolloutEvent.GO_ON)
    noted = _noted(rollout, "promoted", cause)
    return advance(noted, cause)


def judged(rollout: Rollout, verdict: Verdict, *, now_s: float) -> Decision:
    """Carry out the gate's verdict. A paused rollout is still aborted when it must be, and never goes on."""
    shown = msgspec.structs.replace(_with_verdict(rollout, verdict), updated_at_s=now_s)
    cause = Cause(now_s, GATE, verdict.reason)
    if verdict.answer is Answer.ABORT:
        return handle(shown, RolloutEvent.ABORT, cause)
    if verdict.answer is Answer.GO_ON and rollout.state is RolloutState.RUNNING:
        return advance(shown, cause)
    return Decision(shown)


def with_committed(rollout: Rollout, node_ids: Iterable[str], *, now_s: float) -> Rollout:
    """Note commits that the hub has just learned of."""
    new = {node_id: now_s for node_id in node_ids if node_id not in rollout.committed}
    return msgspec.structs.replace(rollout, committed={**rollout.committed, **new}) if new else rollout


def with_previous(rollout: Rollout, previous: Mapping[str, Previous | None]) -> Rollout:
    """Note what nodes had before; what is known already stays, for it was true when they were given the version."""
    return msgspec.structs.replace(rollout, previous={**previous, **rollout.previous})


def _start_stage(rollout: Rollout, index: int, cause: Cause) -> Rollout:
    stage = msgspec.structs.replace(rollout.stages[index], started_at_s=cause.at_s)
    begun = msgspec.structs.replace(rollout, stage=index, stages=_replaced(rollout.stages, index, stage))
    nodes = "1 node" if len(stage.node_ids) == 1 else f"{len(stage.node_ids)} nodes"
    size = f"stage {index + 1} of {len(rollout.stages)} ({stage.share}: {nodes})"
    return _noted(begun, "stage_started", Cause(cause.at_s, cause.actor, f"{size}; {cause.reason}"))


def _with_verdict(rollout: Rollout, verdict: Verdict) -> Rollout:
    stage = msgspec.structs.replace(rollout.current, verdict=verdict.answer.value, verdict_reason=verdict.reason)
    return msgspec.structs.replace(rollout, stages=_replaced(rollout.stages, rollout.stage, stage))


def _without_pause(rollout: Rollout, now_s: float) -> Rollout:
    if rollout.paused_at_s is None:
        return rollout
    held_s = rollout.current.held_s + now_s - rollout.paused_at_s
    stage = msgspec.structs.replace(rollout.current, held_s=held_s)
    stages = _replaced(rollout.stages, rollout.stage, stage)
    return msgspec.structs.replace(rollout, stages=stages, paused_at_s=None)


def _replaced(stages: Sequence[Stage], index: int, stage: Stage) -> tuple[Stage, ...]:
    return (*stages[:index], stage, *stages[index + 1 :])


def _noted(rollout: Rollout, event: str, cause: Cause) -> Rollout:
    entries = (*rollout.history, HistoryEntry(cause.at_s, event, cause.actor, cause.reason))
    if len(entries) > HISTORY_MAX:
        entries = (entries[0], *entries[-HISTORY_MAX + 1 :])
    return msgspec.structs.replace(rollout, history=entries)
