"""One interactive session, from its order to its end: which event leads where, and which deadline has passed.

The table has every case. What is not in it changes nothing; nothing leads out of `closed`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ganglion.core.transitions import Transitions

OFFER_S: Final = 60.0
"""How long a session waits for the person who asked for it."""


class ShellState(StrEnum):
    """Where a session stands. A program runs in `open`, and at no other time."""

    ASKED = "asked"
    OFFERED = "offered"
    """It is allowed, and waits for the person."""
    OPEN = "open"
    CLOSED = "closed"


class ShellEvent(StrEnum):
    """What happens to a session. Each but the first two is a reason to close it: `wire.shells` has words for them."""

    ALLOWED = "allowed"
    CAME = "came"
    REFUSED = "refused"
    NOT_STARTED = "not_started"
    NOBODY_CAME = "nobody_came"
    EXITED = "exited"
    LEFT = "left"
    TIME_UP = "time_up"
    IDLE = "idle"
    RECORDING_FULL = "recording_full"
    NOT_RECORDED = "not_recorded"
    LINK_LOST = "link_lost"
    FORGOTTEN = "forgotten"
    WITHDRAWN = "withdrawn"
    CLOSED_HERE = "closed_here"
    AGENT_ENDED = "agent_ended"
    INTERRUPTED = "interrupted"


_E, _S = ShellEvent, ShellState

TABLE: Final = Transitions(
    {
        (_S.ASKED, _E.ALLOWED): _S.OFFERED,
        (_S.ASKED, _E.REFUSED): _S.CLOSED,
        (_S.ASKED, _E.NOT_RECORDED): _S.CLOSED,
        (_S.ASKED, _E.AGENT_ENDED): _S.CLOSED,
        (_S.OFFERED, _E.CAME): _S.OPEN,
        (_S.OFFERED, _E.NOBODY_CAME): _S.CLOSED,
        (_S.OFFERED, _E.LEFT): _S.CLOSED,
        (_S.OFFERED, _E.TIME_UP): _S.CLOSED,
        (_S.OFFERED, _E.NOT_RECORDED): _S.CLOSED,
        (_S.OFFERED, _E.LINK_LOST): _S.CLOSED,
        (_S.OFFERED, _E.FORGOTTEN): _S.CLOSED,
        (_S.OFFERED, _E.WITHDRAWN): _S.CLOSED,
        (_S.OFFERED, _E.CLOSED_HERE): _S.CLOSED,
        (_S.OFFERED, _E.AGENT_ENDED): _S.CLOSED,
        (_S.OFFERED, _E.INTERRUPTED): _S.CLOSED,
        # The program is started on the way into `open`; a machine that has no room for it closes the session again.
        (_S.OPEN, _E.NOT_STARTED): _S.CLOSED,
        (_S.OPEN, _E.EXITED): _S.CLOSED,
        (_S.OPEN, _E.LEFT): _S.CLOSED,
        (_S.OPEN, _E.TIME_UP): _S.CLOSED,
        (_S.OPEN, _E.IDLE): _S.CLOSED,
        (_S.OPEN, _E.RECORDING_FULL): _S.CLOSED,
        (_S.OPEN, _E.NOT_RECORDED): _S.CLOSED,
        (_S.OPEN, _E.LINK_LOST): _S.CLOSED,
        (_S.OPEN, _E.FORGOTTEN): _S.CLOSED,
        (_S.OPEN, _E.WITHDRAWN): _S.CLOSED,
        (_S.OPEN, _E.CLOSED_HERE): _S.CLOSED,
        (_S.OPEN, _E.AGENT_ENDED): _S.CLOSED,
        # The agent was killed; whoever starts after it finds the session, and its programs are gone.
        (_S.OPEN, _E.INTERRUPTED): _S.CLOSED,
    },
    final=frozenset({_S.CLOSED}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellSession:
    """One session at one moment. Times are of the monotonic clock."""

    id: str
    """That of the order."""
    asked_at_s: float
    ends_at_s: float
    idle_s: float
    link_lost_s: float
    state: ShellState = ShellState.ASKED
    typed_at_s: float = 0.0
    """When something was typed last, or the person came."""
    heard_at_s: float = 0.0
    """When the hub was heard of last."""
    closed_by: ShellEvent | None = None

    def after(self, event: ShellEvent, *, now_s: float) -> "ShellSession":
        """Return the session after an event; what has no place in the table changes nothing."""
        if not TABLE.allows(self.state, event):
            return self
        state = TABLE.next(self.state, event)
        closed_by = event if state is ShellState.CLOSED else None
        heard_at_s = now_s if state is ShellState.OFFERED else self.heard_at_s
        typed_at_s = now_s if state is ShellState.OPEN else self.typed_at_s
        return replace(self, state=state, closed_by=closed_by, heard_at_s=heard_at_s, typed_at_s=typed_at_s)

    def typed(self, *, now_s: float) -> "ShellSession":
        """Return the session after something was typed."""
        return replace(self, typed_at_s=now_s)

    def heard(self, *, now_s: float) -> "ShellSession":
        """Return the session after an answer of the hub."""
        return replace(self, heard_at_s=now_s)

    def due(self, *, now_s: float) -> ShellEvent | None:
        """Return the deadline that has passed by now, the hardest first; None: none has."""
        if self.state in {ShellState.ASKED, ShellState.CLOSED}:
            return None
        if now_s >= self.ends_at_s:
            return ShellEvent.TIME_UP
        if now_s >= self.heard_at_s + self.link_lost_s:
            return ShellEvent.LINK_LOST
        if self.state is ShellState.OFFERED:
            return ShellEvent.NOBODY_CAME if now_s >= self.asked_at_s + OFFER_S else None
        return ShellEvent.IDLE if now_s >= self.typed_at_s + self.idle_s else None
