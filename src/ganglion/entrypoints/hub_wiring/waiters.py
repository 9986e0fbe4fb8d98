"""Who waits for a change: long polls by node id, woken from any thread.

A waiter registers first and looks at the state afterwards, so a change between the two wakes it. The
waiters know nothing of states: being woken means only "look again".
"""

import asyncio
import threading
from collections.abc import Sequence

import anyio

from ganglion.core.errors import Overloaded

_THREADS = 4


class Waiting:
    """One question that waits. Thousands do: it holds nothing but what it needs."""

    __slots__ = ("_future", "is_woken", "node_id")

    def __init__(self, node_id: str) -> None:
        self.node_id = node_id
        self.is_woken = False
        """It was woken since it last began to wait; setting it to False lets it wait again."""
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """End the wait. On the event loop only."""
        self.is_woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, until_s: float) -> bool:
        """Wait until woken, or until the loop's clock shows `until_s`; say whether it was woken."""
        if self.is_woken:
            return True
        loop = asyncio.get_running_loop()
        future = self._future = loop.create_future()
        timer = loop.call_at(until_s, _end, future)
        try:
            await future
        finally:
            timer.cancel()
            self._future = None
        return self.is_woken


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Waiters:
    """Waiting questions by node id. `wake` and `close` may be called from any thread, the rest on the event loop."""

    def __init__(self, *, waiting_max: int, per_node_max: int) -> None:
        self._waiting_max = waiting_max
        self._per_node_max = per_node_max
        self._waiting: dict[str, tuple[Waiting, ...]] = {}
        self._count = 0
        self._closed = False
        # Guards the loop alone: it may end while another thread is about to hand it a wake-up.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: anyio.CapacityLimiter | None = None

    @property
    def threads(self) -> anyio.CapacityLimiter:
        """The threads in which waiters look: few, so that a fleet that wakes leaves some for everybody else."""
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        return self._threads

    @property
    def count(self) -> int:
        """How many questions wait now."""
        return self._count

    @property
    def closed(self) -> bool:
        """True once the hub stops: answer, and do not wait again."""
        return self._closed

    def enter(self, node_id: str) -> Waiting:
        """Register a question; it is woken when its answer may have changed. To be followed by `leave`.

        Raises: Overloaded: too many wait already.
        """
        mine = self._waiting.get(node_id, ())
        if self._count >= self._waiting_max or len(mine) >= self._per_node_max:
            raise Overloaded(f"{len(mine)} questions of this node and {self._count} of all nodes wait already")
        self._attach()
        waiting = Waiting(node_id)
        self._waiting[node_id] = (*mine, waiting)
        self._count += 1
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """Take a question out."""
        others = tuple([each for each in self._waiting[waiting.node_id] if each is not waiting])
        self._count -= 1
        if others:
            self._waiting[waiting.node_id] = others
        else:
            del self._waiting[waiting.node_id]

    def wake(self, node_ids: Sequence[str]) -> None:
        """Let the questions of these nodes look again."""
        self._on_loop(tuple(node_ids))

    def close(self) -> None:
        """Let every question be answered now; from here on nobody waits."""
        self._closed = True
        self._on_loop(None)

    def detach(self) -> None:
        """Forget the event loop, which is about to end."""
        with self._lock:
            self._loop = None

    def _attach(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()

    def _on_loop(self, node_ids: tuple[str, ...] | None) -> None:
        with self._lock:
            # Without a loop nobody has ever waited, or nobody does any more.
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._set, node_ids)

    def _set(self, node_ids: tuple[str, ...] | None) -> None:
        for node_id in tuple(self._waiting) if node_ids is None else node_ids:
            for waiting in self._waiting.get(node_id, ()):
                waiting.wake()
