"""How long a question for the desired state waits at the hub. Pure.

A long wait costs little traffic, but something on the way may end a connection on which nothing moves: the wait grows
while it works, and shrinks when a connection breaks. A change reaches the node at once either way.
"""

from dataclasses import dataclass, replace

_STEP = 2.0


@dataclass(frozen=True, slots=True)
class PollTime:
    """The next wait, in seconds, and its bounds. A value: each outcome gives the next one."""

    wait_s: float
    least_s: float
    most_s: float

    @classmethod
    def beginning(cls, wait_s: float, *, most_s: float) -> "PollTime":
        """Begin with `wait_s`, which is the least as well."""
        return cls(wait_s, wait_s, max(wait_s, most_s))

    def after_quiet(self) -> "PollTime":
        """The whole wait went by, and the answer came."""
        return replace(self, wait_s=min(self.most_s, self.wait_s * _STEP))

    def after_break(self) -> "PollTime":
        """The connection broke, or no answer came."""
        return replace(self, wait_s=max(self.least_s, self.wait_s / _STEP))
