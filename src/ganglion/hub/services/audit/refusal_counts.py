"""Counts refusals, so that a caller that is refused without end fills no disk."""

from collections import OrderedDict

_ACTORS_MAX = 1000
_MINUTE_S = 60.0


class RefusalCounts:
    """Counts refusals by caller, in windows of a minute."""

    def __init__(self, per_minute_max: int) -> None:
        self._max = per_minute_max
        self._by_actor: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, actor: str, now_s: float) -> int | None:
        """Return how many were passed over before this one, or None when this one is passed over too."""
        began_s, seen = self._by_actor.pop(actor, (now_s, 0))
        passed_over = 0
        if now_s - began_s >= _MINUTE_S:
            passed_over, began_s, seen = max(seen - self._max, 0), now_s, 0
        self._by_actor[actor] = (began_s, seen + 1)
        if len(self._by_actor) > _ACTORS_MAX:
            self._by_actor.popitem(last=False)
        return passed_over if seen < self._max else None
