"""Remembers which nodes gave up records lately: what they report only ever grows."""

LATELY_S = 600.0
_GROWN_MAX = 32


class ShedMemory:
    """Compares what nodes report from one walk through the fleet to the next. One thread at a time.

    What a node had given up before the first walk is no news: when that was is not known.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Shed] = {}
        self._seen: dict[str, _Shed] = {}
        self._is_first = True
        self._now_s = 0.0

    def begin(self, now_s: float) -> None:
        """Begin a walk. `now_s` is monotonic."""
        self._now_s, self._seen = now_s, {}

    def lately(self, node_id: str, epoch: str, total: int) -> int:
        """Return how many records a node gave up in the last `LATELY_S`; nodes that never did cost nothing."""
        if total <= 0:
            return 0
        before = self._known.get(node_id)
        if before is None or before.epoch != epoch:
            before = _Shed(epoch, total if self._is_first else 0)
        grown = [(at_s, count) for at_s, count in before.grown if self._now_s - at_s < LATELY_S]
        if total > before.total:
            grown.append((self._now_s, total - before.total))
        self._seen[node_id] = _Shed(epoch, total, grown[-_GROWN_MAX:])
        return sum(count for _, count in grown)

    def end(self) -> None:
        """Forget the nodes that this walk did not meet."""
        self._known, self._seen, self._is_first = self._seen, {}, False


class _Shed:
    """What one node gave up."""

    __slots__ = ("epoch", "grown", "total")

    def __init__(self, epoch: str, total: int, grown: list[tuple[float, int]] | None = None) -> None:
        self.epoch, self.total, self.grown = epoch, total, grown or []
