"""How often something may happen: a burst at once, then one each so many seconds. Pure: the caller gives the time."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the burst, as of a moment of the monotonic clock."""

    burst: int
    every_s: float
    left: float = -1.0
    """Below 0: nothing happened yet."""
    at_s: float = 0.0

    def after(self, *, now_s: float) -> "Pace":
        """Return the pace after it happened once more."""
        return msgspec.structs.replace(self, left=max(self._left(now_s) - 1.0, 0.0), at_s=now_s)

    def wait_s(self, *, now_s: float) -> float:
        """Return how long to wait until it may happen again; 0: now."""
        return max(0.0, (1.0 - self._left(now_s)) * self.every_s)

    def _left(self, now_s: float) -> float:
        if self.left < 0.0:
            return float(self.burst)
        return min(float(self.burst), self.left + max(0.0, now_s - self.at_s) / self.every_s)
