"""Virtual time, and the queue of what comes next. Equal times keep the order in which they were planned."""

import heapq
from collections.abc import Callable

_START_NS = 1_700_000_000 * 1_000_000_000


class Agenda:
    """The world's clock. Time passes only from one planned call to the next."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.calls = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, at_s: float, call: Callable[[], None]) -> None:
        """Plan a call; one in the past comes at once."""
        self._number += 1
        heapq.heappush(self._queue, (max(at_s, self.now_s), self._number, call))

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Plan a call in so many seconds."""
        self._number += 1
        heapq.heappush(self._queue, (self.now_s + delay_s, self._number, call))

    def run_until(self, end_s: float) -> None:
        """Carry out what is planned up to a time, and what follows from it."""
        queue = self._queue
        while queue and queue[0][0] <= end_s:
            self.now_s, _, call = heapq.heappop(queue)
            self.calls += 1
            call()
        self.now_s = end_s


class HubClock:
    """What the hub's services are given: virtual time, and a wall clock that a fault may move."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self.error_s = 0.0

    def utc_ns(self) -> int:
        """Return wall-clock time, nanoseconds since 1970."""
        return _START_NS + round((self._agenda.now_s + self.error_s) * 1e9)

    def monotonic_s(self) -> float:
        """Return seconds since the start."""
        return self._agenda.now_s
