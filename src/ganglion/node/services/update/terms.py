"""Keeps the time of the last word from the hub, for models that may be served without one for a signed term only."""

import msgspec

from ganglion.node.domain.update import contact
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.ports.clock import Clock, utc_s

_STEP_S = 60.0
"""How often the time is stored: a restart may give a model this much more."""


class Terms:
    """Counts silence by the clock of the wall, and by one that nobody can set, over all starts of this node."""

    def __init__(self, clock: Clock, *, silent_s: float = 0.0) -> None:
        """`silent_s` is what earlier processes had counted."""
        self._clock = clock
        self._silent_s, self._since_s = silent_s, clock.monotonic_s()

    def heard(self, state: NodeState) -> NodeState | None:
        """Note that the hub was heard of just now; a state to be stored when a model's term depends on it."""
        self._silent_s, self._since_s = 0.0, self._clock.monotonic_s()
        now_s = utc_s(self._clock)
        is_stored = abs(now_s - state.contact_at_s) < _STEP_S and state.silent_s == 0.0
        if is_stored or not contact.needs_contact(state.models):
            return None
        return msgspec.structs.replace(state, contact_at_s=now_s, silent_s=0.0)

    def aged(self, state: NodeState) -> NodeState | None:
        """Return a state to be stored when the silence has grown by so much that a restart must not forget it."""
        ran_s = self._ran_s()
        if ran_s - state.silent_s < _STEP_S or not contact.needs_contact(state.models):
            return None
        return msgspec.structs.replace(state, silent_s=ran_s)

    def over(self, state: NodeState) -> dict[str, str]:
        """Return the models that must not be served until the hub is heard of again, and why."""
        return contact.withheld(state.models, self._silence_s(state))

    def trial_over(self, state: NodeState, name: str) -> str:
        """Return why a model's version on trial must not answer, or beside which nothing may; empty when it may."""
        silent_s = self._silence_s(state)
        return contact.withheld(state.models, silent_s).get(name, "") or contact.trial_over(
            state.models[name], silent_s
        )

    def _silence_s(self, state: NodeState) -> float:
        now_s = utc_s(self._clock)
        return contact.silence_s(now_s=now_s, heard_at_s=state.contact_at_s or now_s, running_s=self._ran_s())

    def _ran_s(self) -> float:
        return self._silent_s + self._clock.monotonic_s() - self._since_s
