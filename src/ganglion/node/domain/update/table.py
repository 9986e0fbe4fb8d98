"""One attempt of a node to take a model version, as a table: events in, effects out, no I/O.

The states are those of the wire (`UpdateState`), in order. Whatever happens in between, an attempt
ends committed or rolled back, and until it commits the previous version stays known-good.
"""

from enum import StrEnum

import msgspec

from ganglion.core.transitions import Transitions
from ganglion.wire.desired import Assignment, UpdateState


class UpdateEvent(StrEnum):
    """What can happen to an attempt."""

    PRECHECKED = "prechecked"
    TRUSTED = "trusted"
    DOWNLOADED = "downloaded"
    LOADED = "loaded"
    PROVED = "proved"
    SHADOWED = "shadowed"
    """It listens beside the version that answers."""
    WINDOW_CLOSED = "window_closed"
    """It could answer from now on, and its policy wants it to wait."""
    WINDOW_OPENED = "window_opened"
    RESTATED = "restated"
    """The hub has another word on how to bring the same bytes."""
    SWITCHED = "switched"
    HEALTHY = "healthy"
    HELD = "held"
    """A version that is held on trial has long been in order, and stays on trial."""
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """The hub wants something else now."""
    RESTARTED = "restarted"
    """The agent came back, for whatever reason."""
    SERVING_LOST = "serving_lost"
    """The serving process started anew: what was loaded into it is gone."""


class UpdateEffect(StrEnum):
    """What the shell does next; its outcome is the next event."""

    PRECHECK = "precheck"
    TRUST = "trust"
    DOWNLOAD = "download"
    LOAD = "load"
    PROVE = "prove"
    SWITCH = "switch"
    LISTEN = "listen"
    AWAIT_WINDOW = "await_window"
    WATCH = "watch"
    COMMIT = "commit"
    ROLL_BACK = "roll_back"


_S, _E = UpdateState, UpdateEvent
_FINAL = frozenset({_S.COMMITTED, _S.ROLLED_BACK})

TRANSITIONS: Transitions[UpdateState, UpdateEvent] = Transitions(
    {
        (_S.OFFERED, _E.PRECHECKED): _S.PRECHECKED,
        (_S.OFFERED, _E.RESTARTED): _S.OFFERED,
        (_S.OFFERED, _E.SERVING_LOST): _S.OFFERED,
        (_S.PRECHECKED, _E.TRUSTED): _S.DOWNLOADING,
        (_S.PRECHECKED, _E.RESTARTED): _S.PRECHECKED,
        (_S.PRECHECKED, _E.SERVING_LOST): _S.PRECHECKED,
        (_S.DOWNLOADING, _E.DOWNLOADED): _S.VERIFIED,
        # The part on disk is resumed, and its hash is checked as a whole at the end.
        (_S.DOWNLOADING, _E.RESTARTED): _S.DOWNLOADING,
        (_S.DOWNLOADING, _E.SERVING_LOST): _S.DOWNLOADING,
        (_S.VERIFIED, _E.LOADED): _S.GATED,
        (_S.VERIFIED, _E.RESTARTED): _S.VERIFIED,
        (_S.VERIFIED, _E.SERVING_LOST): _S.VERIFIED,
        (_S.GATED, _E.PROVED): _S.PROVEN,
        # Loading and proving are cheap to repeat and nobody knows what the other process still holds.
        (_S.GATED, _E.RESTARTED): _S.VERIFIED,
        (_S.GATED, _E.SERVING_LOST): _S.VERIFIED,
        (_S.PROVEN, _E.SHADOWED): _S.SHADOW,
        (_S.PROVEN, _E.SWITCHED): _S.PROBATION,
        (_S.PROVEN, _E.WINDOW_CLOSED): _S.STAGED,
        (_S.PROVEN, _E.RESTARTED): _S.VERIFIED,
        (_S.PROVEN, _E.SERVING_LOST): _S.VERIFIED,
        (_S.SHADOW, _E.SWITCHED): _S.PROBATION,
        (_S.SHADOW, _E.WINDOW_CLOSED): _S.STAGED,
        (_S.SHADOW, _E.HELD): _S.SHADOW,
        # Serving kept both versions; the agent counts anew from here.
        (_S.SHADOW, _E.RESTARTED): _S.SHADOW,
        (_S.SHADOW, _E.SERVING_LOST): _S.VERIFIED,
        # Only its package waits, maybe for days; it is looked at again before it is loaded and proven again.
        (_S.STAGED, _E.WINDOW_OPENED): _S.DOWNLOADING,
        (_S.STAGED, _E.RESTARTED): _S.STAGED,
        (_S.STAGED, _E.SERVING_LOST): _S.STAGED,
        # Nothing of what the hub says now was compared with what is signed.
        (_S.STAGED, _E.RESTATED): _S.OFFERED,
        (_S.PROBATION, _E.HEALTHY): _S.COMMITTED,
        (_S.PROBATION, _E.HELD): _S.PROBATION,
        # Serving kept the counts; only the clock of the probation begins again.
        (_S.PROBATION, _E.RESTARTED): _S.PROBATION,
        (_S.PROBATION, _E.SERVING_LOST): _S.VERIFIED,
        **{
            (state, event): _S.ROLLED_BACK for state in _S if state not in _FINAL for event in (_E.FAILED, _E.WITHDRAWN)
        },
    },
    final=_FINAL,
)

ON_ENTRY: dict[UpdateState, UpdateEffect] = {
    _S.OFFERED: UpdateEffect.PRECHECK,
    _S.PRECHECKED: UpdateEffect.TRUST,
    _S.DOWNLOADING: UpdateEffect.DOWNLOAD,
    _S.VERIFIED: UpdateEffect.LOAD,
    _S.GATED: UpdateEffect.PROVE,
    _S.PROVEN: UpdateEffect.SWITCH,
    _S.SHADOW: UpdateEffect.LISTEN,
    _S.STAGED: UpdateEffect.AWAIT_WINDOW,
    _S.PROBATION: UpdateEffect.WATCH,
    _S.COMMITTED: UpdateEffect.COMMIT,
    _S.ROLLED_BACK: UpdateEffect.ROLL_BACK,
}


class Update(msgspec.Struct, frozen=True):
    """One attempt. A value: `after` returns the next one."""

    assignment: Assignment
    state: UpdateState = UpdateState.OFFERED
    was_committed: bool = False
    """This node had committed the version before: it goes back to what it knows, without a probation."""
    starts: int = 0
    """How often the serving process was lost while it held this version."""
    instance: str = ""
    """Which start of the serving process it was loaded into."""
    reason: str = ""
    offline_s_max: int = 0
    """How long it may be served without contact with the hub, as its model's role has signed; 0: for ever."""
    was_heard: bool = False
    """It has passed its time in the shadow before it had to wait, which is not asked of it again."""
    control: str = ""
    """Of a held version: the one that was committed when it was offered. Beside another one it is not tried."""

    @property
    def is_held(self) -> bool:
        """Say whether it stays on trial until the hub wants something else."""
        return self.assignment.policy.held

    @property
    def only_listens(self) -> bool:
        """Say whether it is held, and answers nobody."""
        return self.is_held and not self.assignment.policy.traffic_share > 0.0

    @property
    def is_settled(self) -> bool:
        """Say whether it is held, and as far as it will come."""
        return self.is_held and (self.state is _S.PROBATION or (self.state is _S.SHADOW and self.only_listens))

    @property
    def effect(self) -> UpdateEffect:
        """Return what the shell must do in this state."""
        return ON_ENTRY[self.state]

    @property
    def is_final(self) -> bool:
        """Say whether the attempt has ended."""
        return self.state in TRANSITIONS.final

    def after(self, event: UpdateEvent, *, reason: str = "") -> "Update":
        """Return the attempt after `event`.

        A version that takes the serving process down `start_attempts_max` times is given up: the loop breaker.
        Raises: IllegalTransition.
        """
        starts = self.starts
        if self.is_held and event is UpdateEvent.HEALTHY:
            event, starts = UpdateEvent.HELD, 0
        if self.only_listens and event is UpdateEvent.SWITCHED:
            event, reason = UpdateEvent.FAILED, "it may only listen, and was about to answer"
        if event is UpdateEvent.SERVING_LOST and self.state in _HELD_BY_SERVING:
            starts += 1
            if starts >= self.assignment.policy.start_attempts_max:
                event, reason = UpdateEvent.FAILED, f"the serving process was lost {starts} times with this version"
        state = TRANSITIONS.next(self.state, event)
        was_heard = self.was_heard or (self.state is UpdateState.SHADOW and event is UpdateEvent.WINDOW_CLOSED)
        return msgspec.structs.replace(
            self, state=state, starts=starts, was_heard=was_heard, reason=reason or self.reason
        )


_HELD_BY_SERVING = frozenset({_S.VERIFIED, _S.GATED, _S.PROVEN, _S.SHADOW, _S.PROBATION})
