"""Where inference runs: short work on the event loop, longer work in one thread, first come first served.

One thread, because a second one would make both slower on a small machine, and every wait fairer to nobody.
"""

import asyncio
import contextlib
import math
import queue
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog

from ganglion.core.errors import Overloaded

T = TypeVar("T")

log = structlog.get_logger()

_TICK_S = 1e-3


class Ticket(Protocol):
    """A job's place in the queue."""

    def cancel(self) -> bool:
        """Give the place up. True: the job will neither run nor report; False: it runs, or has run."""
        ...


class Timer(Protocol):
    """Work that waits for its time."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Lane(Protocol):
    """A way to run work and hear of its result on the event loop. Work does not raise."""

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        ...

    def submit(
        self,
        job: Callable[[], T],
        done: Callable[[T], None],
        *,
        within_s: float = math.inf,
        expired: Callable[[], None] | None = None,
    ) -> Ticket:
        """Run `job` off the loop, after everything submitted before. Raises: Overloaded: too much waits already.

        A job that has not begun after `within_s` is given up: `expired` is called then, and not `done`.
        """
        ...

    def later(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, after what the loop has to do now."""
        ...

    def after(self, delay_s: float, job: Callable[[], None]) -> Timer:
        """Run `job` on the loop when `delay_s` is over, never sooner. The loop's timers tick in milliseconds."""
        ...

    def end_of_turn(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, when everything that has arrived in this turn of it has been read."""
        ...


class ThreadLane:
    """The lane of a serving process. When the queue is full: shed, with an error to the caller."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, queue_len_max: int) -> None:
        self._loop, self._queue_len_max = loop, queue_len_max
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        return self._waiting

    def submit(
        self,
        job: Callable[[], T],
        done: Callable[[T], None],
        *,
        within_s: float = math.inf,
        expired: Callable[[], None] | None = None,
    ) -> "_Ticket[T]":
        """Run `job` in the thread and `done` on the loop. Raises: Overloaded."""
        if self._waiting >= self._queue_len_max:
            raise Overloaded(f"{self._waiting} requests wait for the model already")
        ticket = _Ticket(self, job, done)
        if expired is not None and within_s < math.inf:
            ticket.timer = self._loop.call_later(max(0.0, within_s), ticket.expire, expired)
        self._waiting += 1
        self._queue.put(ticket.run)
        if self._thread is None:
            # Made only now: a node whose models are all short never needs it.
            self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
            self._thread.start()
        return ticket

    def later(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, in its next turn."""
        self._loop.call_soon(job)

    def after(self, delay_s: float, job: Callable[[], None]) -> asyncio.TimerHandle:
        """Run `job` on the loop, at the first tick of its timers after `delay_s`."""
        # uvloop rounds to the nearest tick, which may come too early, and a delay of no tick would be a busy wait.
        return self._loop.call_later(max(1, math.ceil(delay_s / _TICK_S)) * _TICK_S, job)

    def end_of_turn(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, before it looks for new arrivals."""
        self._loop.call_soon(job)

    def close(self) -> None:
        """Take no more; what still waits is dropped with its connections, what runs is not waited for."""
        self._is_closed = True
        self._queue.put(None)

    def release(self) -> None:
        """Count one job less."""
        self._waiting -= 1

    def report(self, done: Callable[[], None]) -> None:
        """Call `done` on the loop. Called in the thread."""
        with contextlib.suppress(RuntimeError):  # The loop has ended, and with it everybody who would listen.
            self._loop.call_soon_threadsafe(done)

    def _work(self) -> None:
        while (step := self._queue.get()) is not None and not self._is_closed:
            step()


class _Ticket(Generic[T]):
    """One job, and what comes after it. Whoever pops it, the thread or the canceller, has it: `list.pop` is atomic.

    Nothing of it is kept after that: `done` knows whoever holds the ticket, and the collector comes seldom.
    """

    __slots__ = ("_claims", "_lane", "timer")

    def __init__(self, lane: ThreadLane, job: Callable[[], T], done: Callable[[T], None]) -> None:
        self._lane, self._claims = lane, [(job, done)]
        self.timer: asyncio.TimerHandle | None = None

    def cancel(self) -> bool:
        """Free the place and everything that the job holds."""
        if self._claims:
            with contextlib.suppress(IndexError):
                self._claims.pop()
                self._stop_timer()
                self._lane.release()
                return True
        return False

    def expire(self, expired: Callable[[], None]) -> None:
        """Give the job up unless it has begun."""
        if self.cancel():
            expired()

    def run(self) -> None:
        """Do the work, in the thread."""
        try:
            job, done = self._claims.pop()
        except IndexError:
            return  # Cancelled.
        try:
            result = job()
        except Exception:
            log.exception("lane.job_failed")  # A defect: work does not raise. The lane must outlive it.
            self._lane.report(self._lane.release)
            return
        self._lane.report(lambda: self._finish(result, done))

    def _finish(self, result: T, done: Callable[[T], None]) -> None:
        self._stop_timer()
        self._lane.release()
        done(result)

    def _stop_timer(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
