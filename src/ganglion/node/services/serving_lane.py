"""Where inference runs: short work on the event loop, longer work in one thread, first come first served.

One thread, because a second one would make both slower on a small machine, and every wait fairer to nobody.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from ganglion.core.errors import Overloaded

T = TypeVar("T")


class Lane(Protocol):
    """A way to run work and hear of its result on the event loop. Work does not raise."""

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        ...

    def submit(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `job` off the loop, after everything submitted before. Raises: Overloaded: too much waits already."""
        ...

    def later(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, after what the loop has to do now."""
        ...


class ThreadLane:
    """The lane of a serving process. When the queue is full: shed, with an error to the caller."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, queue_len_max: int) -> None:
        self._loop, self._queue_len_max = loop, queue_len_max
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        return self._waiting

    def submit(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `job` in the thread and `done` on the loop. Raises: Overloaded."""
        if self._waiting >= self._queue_len_max:
            raise Overloaded(f"{self._waiting} requests wait for the model already")
        self._waiting += 1
        self._executor.submit(job).add_done_callback(lambda future: self._report(future, done))

    def later(self, job: Callable[[], None]) -> None:
        """Run `job` on the loop, in its next turn."""
        self._loop.call_soon(job)

    def close(self) -> None:
        """Take no more; what still waits is dropped with its connections, what runs is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _report(self, future: "Future[T]", done: Callable[[T], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended, and with it everybody who would listen.
            self._loop.call_soon_threadsafe(self._finish, future, done)

    def _finish(self, future: "Future[T]", done: Callable[[T], None]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            done(future.result())
