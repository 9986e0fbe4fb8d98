"""The document of an experiment and its table: who is in which arm, and what each node had before. No I/O, no clock.

Arms are over nodes: the nodes of a challenger are given its version as an ordinary assignment, those of the control
are given nothing. The shell stores the document and the assignments in one transaction.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from ganglion.core.transitions import Transitions
from ganglion.hub.domain.rollouts.document import Cause, HistoryEntry, Previous
from ganglion.wire.experiment_resources import ArmResult, ExperimentRequest

HUB = "hub"


class ExperimentState(StrEnum):
    """Where an experiment stands."""

    DRAFT = "draft"
    """It is declared; no node knows of it."""
    RUNNING = "running"
    CONCLUDED = "concluded"
    """A person has named the winner."""
    STOPPED = "stopped"
    """It ended without one: on a person's word, by its guard, or at its end."""


class ExperimentEvent(StrEnum):
    """What moves it."""

    START = "start"
    CONCLUDE = "conclude"
    STOP = "stop"


_S, _E = ExperimentState, ExperimentEvent

TRANSITIONS: Transitions[ExperimentState, ExperimentEvent] = Transitions(
    {
        (_S.DRAFT, _E.START): _S.RUNNING,
        # A draft that nobody wants any more; its name stays taken, for the audit chain knows it.
        (_S.DRAFT, _E.STOP): _S.STOPPED,
        (_S.RUNNING, _E.CONCLUDE): _S.CONCLUDED,
        (_S.RUNNING, _E.STOP): _S.STOPPED,
    },
    final=frozenset({_S.CONCLUDED, _S.STOPPED}),
)

SAID_AGAIN = frozenset({(_S.RUNNING, _E.START), (_S.STOPPED, _E.STOP), (_S.CONCLUDED, _E.CONCLUDE)})
"""Saying it twice is saying it once: a reply may have been lost on the way."""

WHY_NOT: Mapping[ExperimentState, str] = {
    _S.DRAFT: "it was not started",
    _S.RUNNING: "it is running",
    _S.CONCLUDED: "it has ended: a winner was named",
    _S.STOPPED: "it has ended; to bring a version to the fleet, start a rollout",
}
"""Why a state refuses the rest."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A version, its share, and from the start on its nodes."""

    version: str
    share: float
    node_ids: tuple[str, ...] = ()


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment. A value: every function returns the next one."""

    request: ExperimentRequest
    arms: tuple[Arm, ...]
    """The control first."""
    state: ExperimentState = ExperimentState.DRAFT
    experiment_id: str = ""
    """What the assignments of its nodes name as their rollout."""
    left_out: dict[str, str] = {}
    """By name of a node that was meant: why it is in no arm."""
    previous: dict[str, Previous] = {}
    """By node of a challenger: what it had before."""
    started_at_s: float | None = None
    ended_at_s: float | None = None
    winner: str = ""
    rollout_id: str = ""
    reason: str = ""
    results: tuple[ArmResult, ...] = ()
    """What was known at the end."""
    created_at_s: float
    history: tuple[HistoryEntry, ...] = ()

    @property
    def control(self) -> Arm:
        """Return the arm that keeps what it has."""
        return self.arms[0]

    @property
    def challengers(self) -> tuple[Arm, ...]:
        """Return the other arms."""
        return self.arms[1:]

    @property
    def ends_at_s(self) -> float | None:
        """Return when it ends by itself; None before the start."""
        return None if self.started_at_s is None else self.started_at_s + self.request.length_s

    def is_over(self, now_s: float) -> bool:
        """Say whether its time is over. A wall clock that jumped back before the start ends nothing."""
        return self.ends_at_s is not None and now_s >= self.ends_at_s


def drafted(request: ExperimentRequest, shares: Sequence[float], cause: Cause) -> Experiment:
    """Return a draft; `shares` has the control's first. The request was checked."""
    versions = [request.control, *(arm.version for arm in request.arms)]
    arms = tuple(Arm(version=version, share=share) for version, share in zip(versions, shares, strict=True))
    return _noted(Experiment(request=request, arms=arms, created_at_s=cause.at_s), "created", cause)


def began(
    experiment: Experiment,
    cause: Cause,
    *,
    experiment_id: str,
    members: Sequence[Sequence[str]],
    previous: Mapping[str, Previous],
    left_out: Mapping[str, str],
) -> Experiment:
    """Return it running, with the node ids of each arm. Raises: IllegalTransition."""
    state = TRANSITIONS.next(experiment.state, ExperimentEvent.START)
    arms = tuple(
        msgspec.structs.replace(arm, node_ids=tuple(ids)) for arm, ids in zip(experiment.arms, members, strict=True)
    )
    after = msgspec.structs.replace(
        experiment,
        state=state,
        experiment_id=experiment_id,
        arms=arms,
        previous=dict(previous),
        left_out=dict(left_out),
        started_at_s=cause.at_s,
    )
    return _noted(after, "started", cause)


def ended(
    experiment: Experiment,
    event: ExperimentEvent,
    cause: Cause,
    *,
    results: Sequence[ArmResult] = (),
    winner: str = "",
) -> Experiment:
    """Return it concluded or stopped, with what was known by then. Raises: IllegalTransition."""
    state = TRANSITIONS.next(experiment.state, event)
    after = msgspec.structs.replace(
        experiment,
        state=state,
        ended_at_s=cause.at_s,
        reason=cause.reason,
        winner=winner,
        results=tuple(results),
    )
    return _noted(after, state.value, cause)


def is_said_again(experiment: Experiment, event: ExperimentEvent, *, winner: str = "") -> bool:
    """Say whether an order changes nothing because it was obeyed already."""
    return (experiment.state, event) in SAID_AGAIN and winner == experiment.winner


def _noted(experiment: Experiment, event: str, cause: Cause) -> Experiment:
    entry = HistoryEntry(cause.at_s, event, cause.actor, cause.reason)
    return msgspec.structs.replace(experiment, history=(*experiment.history, entry))
