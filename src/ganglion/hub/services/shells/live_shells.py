"""Interactive sessions that are under way, in memory: who may reach which, and when one is given up."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.core.errors import Conflict, NotFound, Overloaded
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.hub.domain.shells.relay import Input, Output
from ganglion.ports.clock import Clock
from ganglion.trust.roles import Caller
from ganglion.trust.shell import ORDER_LIFE_S
from ganglion.wire.shells import PERSON_SILENT_S

_NODE_SILENT_S = 60.0
_KEPT_S = 120.0
"""How long a session that is over can still be read to its end."""


class Stand(StrEnum):
    """Where a session stands for the hub."""

    ASKED = "asked"
    OFFERED = "offered"
    OPEN = "open"
    CLOSED = "closed"
    LOST = "lost"
    """The hub was started again, and the node has not said what became of it."""


class ShellRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a session."""

    id: str
    node_id: str
    node: str
    person: str
    role: str
    reason: str
    seconds: int
    asked_at_s: float
    opened_at_s: float | None = None
    closed_at_s: float | None = None
    closed_by: str = ""
    recording_sha256: str = ""
    recording_bytes: int = 0


@dataclass(slots=True)
class LiveShell:
    """A session that is under way. Times are of the monotonic clock. Only under the guard."""

    row: ShellRow
    output: Output
    input: Input
    ends_at_s: float
    person_seen_s: float
    node_seen_s: float
    stand: Stand = Stand.ASKED
    has_left: bool = False

    def is_silent(self, now_s: float) -> bool:
        """Tell whether the node was not heard of for too long."""
        return self.stand in {Stand.OFFERED, Stand.OPEN} and now_s - self.node_seen_s > _NODE_SILENT_S

    def is_left(self, now_s: float) -> bool:
        """Tell whether the person will not come back."""
        return self.has_left or now_s - self.person_seen_s > PERSON_SILENT_S

    def close(self, row: ShellRow, now_s: float) -> None:
        """End it; what was shown can still be read for a while."""
        self.stand, self.row, self.ends_at_s = Stand.CLOSED, row, now_s + _KEPT_S


class LiveShells:
    """All of them. `guard` is held by whoever changes one; the methods expect it to be held."""

    def __init__(self, *, clock: Clock, limits: ShellRelayLimits) -> None:
        self._clock, self._limits = clock, limits
        self.guard = threading.Lock()
        self._live: dict[str, LiveShell] = {}

    @property
    def now_s(self) -> float:
        """Return the monotonic clock."""
        return self._clock.monotonic_s()

    def begin(self, row: ShellRow) -> None:
        """Make room for a session. Raises: Conflict: the node has one. Overloaded: there are too many."""
        now_s = self.now_s
        self._live = {each: live for each, live in self._live.items() if not self._is_over(live, now_s)}
        others = [live for live in self._live.values() if live.stand is not Stand.CLOSED]
        if any(live.row.node_id == row.node_id for live in others):
            raise Conflict(f"{row.node} has a session already, or was asked for one; there is one at a time")
        if len(others) >= self._limits.sessions_max:
            raise Overloaded(f"{len(others)} sessions are open already, and hub.shells.sessions_max allows no more")
        self._live[row.id] = LiveShell(
            row,
            Output(self._limits.output_bytes_max),
            Input(self._limits.input_bytes_max),
            ends_at_s=now_s + row.seconds + 2 * ORDER_LIFE_S,
            person_seen_s=now_s,
            node_seen_s=now_s,
        )

    def drop(self, shell_id: str) -> None:
        """Forget a session that was not begun after all."""
        self._live.pop(shell_id, None)

    def stand_of(self, shell_id: str) -> Stand | None:
        """Return where a session stands; None: it is not under way."""
        live = self._live.get(shell_id)
        return live.stand if live else None

    def silent(self) -> Sequence[LiveShell]:
        """Return sessions of which their node does not speak any more."""
        return [live for live in self._live.values() if live.is_silent(self.now_s)]

    def of_place(self, node: str, shell_id: str) -> LiveShell:
        """Return a session on the node of this name. Raises: NotFound."""
        live = self._live.get(shell_id)
        if live is None or live.row.node != node or self.now_s >= live.ends_at_s:
            raise unknown(shell_id)
        return live

    def own(self, node: str, shell_id: str, caller: Caller) -> LiveShell:
        """Return a session of this person, who was just heard of. Raises: NotFound, Forbidden."""
        live = self.of_place(node, shell_id)
        if (live.row.person, live.row.role) != (caller.actor, caller.role.value):
            raise Forbidden(f"this session is one of {live.row.person}, and nobody else can join it")
        live.person_seen_s = self.now_s
        return live

    def of_node(self, node_id: str, shell_id: str) -> LiveShell:
        """Return a session of the node that calls, which was just heard of. Raises: NotFound."""
        live = self._live.get(shell_id)
        if live is None or live.row.node_id != node_id or self.now_s >= live.ends_at_s:
            raise unknown(shell_id)
        live.node_seen_s = self.now_s
        return live

    def _is_over(self, live: LiveShell, now_s: float) -> bool:
        return now_s >= live.ends_at_s or (live.stand is Stand.ASKED and live.is_left(now_s))


def unknown(shell_id: str) -> NotFound:
    """Return the error that there is no such session."""
    return NotFound(f"there is no session {shell_id[:80]!r} here, or it is over")
