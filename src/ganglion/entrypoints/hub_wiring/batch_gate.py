"""How many batches are taken in at the same time; who comes on top is told when to come again.

Batches have threads of their own: a fleet that reconnects must not make people, reports and rollouts wait.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from ganglion.core.delivery_errors import Busy
from ganglion.hub.domain.records import back_pressure
from ganglion.ports.clock import Chance, Clock

T = TypeVar("T")

_THREADS = 4
"""One writes; the others decode meanwhile."""
_AWAY_S_MAX = 600.0
"""Who did not come back by then is not waited for."""
_AWAY_MAX = 50_000
_SMOOTHING = 0.05


class BatchGate:
    """Lets batches in. On the event loop only."""

    def __init__(self, *, clock: Clock, chance: Chance, at_once_max: int) -> None:
        self._clock, self._chance = clock, chance
        self._at_once_max = at_once_max
        self._limiter: anyio.CapacityLimiter | None = None
        self._inside = 0
        self._away: OrderedDict[str, float] = OrderedDict()
        """Who was turned away and has not come back, with when, the latest last."""
        self._batch_s = 0.0
        """Smoothed time between the ends of two batches while some wait."""
        self._ended_at_s: float | None = None

    @property
    def inside(self) -> int:
        """How many batches are being taken in now."""
        return self._inside

    @property
    def away(self) -> int:
        """How many callers were turned away lately and have not come back."""
        return len(self._away)

    async def pass_through(self, caller: str, work: Callable[[], T]) -> T:
        """Do blocking work in a thread of the gate's own. Raises: Busy: too many are inside; come again later."""
        if self._inside >= self._at_once_max:
            raise self._turned_away(caller)
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        self._inside += 1
        try:
            done = await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1
            self._note_end()
        self._away.pop(caller, None)
        return done

    def _turned_away(self, caller: str) -> Busy:
        now_s = self._clock.monotonic_s()
        self._away[caller] = now_s
        self._away.move_to_end(caller)
        while len(self._away) > _AWAY_MAX or next(iter(self._away.values())) < now_s - _AWAY_S_MAX:
            self._away.popitem(last=False)
        delay_s = back_pressure.retry_after_s(
            waiting=len(self._away),
            finished_per_s=1 / self._batch_s if self._batch_s else 1.0,
            share=self._chance.share(),
        )
        return Busy(
            f"{self._inside} batches are being stored; send this one again in {delay_s} s", retry_after_s=delay_s
        )

    def _note_end(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._ended_at_s is not None and self._inside:
            took_s = now_s - self._ended_at_s
            self._batch_s += (took_s - self._batch_s) * (_SMOOTHING if self._batch_s else 1.0)
        self._ended_at_s = now_s
