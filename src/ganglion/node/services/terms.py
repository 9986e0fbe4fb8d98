"""Keeps the time of the last word from the hub, for models that may be served without one for a signed term only."""

import msgspec

from ganglion.node.domain import contact
from ganglion.node.domain.reconcile import NodeState
from ganglion.ports.clock import Clock, utc_s

_STEP_S = 60.0
"""How often the time is stored: a restart may give a model this much more."""


class Terms:
    """What this process has heard itself counts by a clock that nobody can set; what was before, by the stored time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard_at_s = clock.monotonic_s()

    def heard(self, state: NodeState) -> NodeState | None:
        """Note that the hub was heard of just now; a state to be stored when a model's term depends on it."""
        self._heard_at_s = self._clock.monotonic_s()
        now_s = utc_s(self._clock)
        if not contact.needs_contact(state.models) or abs(now_s - state.contact_at_s) < _STEP_S:
            return None
        return msgspec.structs.replace(state, contact_at_s=now_s)

    def over(self, state: NodeState) -> dict[str, str]:
        """Return the models that must not be served until the hub is heard of again, and why."""
        now_s = utc_s(self._clock)
        silent_s = contact.silence_s(
            now_s=now_s,
            heard_at_s=state.contact_at_s or now_s,
            running_s=self._clock.monotonic_s() - self._heard_at_s,
        )
        return contact.withheld(state.models, silent_s)
