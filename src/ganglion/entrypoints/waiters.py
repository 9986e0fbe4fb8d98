"""Who waits for a change: long polls by node id, woken from any thread.

A waiter registers first and looks at the state afterwards, so a change between the two wakes it. The
waiters know nothing of states: being woken means only "look again".
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence

import anyio

from ganglion.core.errors import Overloaded

_THREADS = 4


class Waiters:
    """Waiting questions by node id. `wake` and `close` may be called from any thread, the rest on the event loop."""

    def __init__(self, *, waiting_max: int, per_node_max: int) -> None:
        self._waiting_max = waiting_max
        self._per_node_max = per_node_max
        self._events: dict[str, set[asyncio.Event]] = {}
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

    @contextlib.contextmanager
    def watch(self, node_id: str) -> Iterator[asyncio.Event]:
        """Register a question; the event is set when its answer may have changed, and may be cleared to wait again.

        Raises: Overloaded: too many wait already.
        """
        mine = self._events.setdefault(node_id, set())
        if self._count >= self._waiting_max or len(mine) >= self._per_node_max:
            self._forget_if_empty(node_id)
            raise Overloaded(f"{len(mine)} questions of this node and {self._count} of all nodes wait already")
        self._attach()
        event = asyncio.Event()
        mine.add(event)
        self._count += 1
        try:
            yield event
        finally:
            mine.discard(event)
            self._count -= 1
            self._forget_if_empty(node_id)

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
        for node_id in tuple(self._events) if node_ids is None else node_ids:
            for event in self._events.get(node_id, ()):
                event.set()

    def _forget_if_empty(self, node_id: str) -> None:
        if not self._events.get(node_id):
            self._events.pop(node_id, None)
