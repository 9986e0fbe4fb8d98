"""A TCP relay that stands for the cable between a node and its hub, and can be cut.

Real sockets, real bytes: what a node does when the relay is cut, it does when the cable is. The relay
looks at no byte, so TLS passes through it.
"""

import contextlib
import math
import socket
import struct
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream

from ganglion.adapters.system import SystemClock
from ganglion.testing.chance import SeededChance

_NO_LINGER = struct.pack("ii", 1, 0)
_CHUNK_BYTES = 65_536
_UNDER_WAY_MAX = 256
"""Chunks of one connection and direction that are on their way."""
_REPEAT_S = 0.2
"""What TCP waits at the least before it sends again."""
_TURN_BYTES = 16_384
"""What one connection may put into a queue that has an end before it is the turn of the next: a record of TLS."""
_UNREAD_BYTES = 131_072
"""What a connection into such a queue holds at the most outside of it, so that its sender knows how far it is."""
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class CutMode(StrEnum):
    """How a cut connection looks from both ends."""

    RESET = "reset"
    """Connections end at once, new ones end as soon as they are made: a hub that is down."""
    BLACKHOLE = "blackhole"
    """Nothing arrives and nothing ends; what was sent arrives after `restore`: a cable that is out."""


@dataclass(slots=True)
class _Link:
    """One connection through the relay; `scope` ends everything that carries it."""

    client: SocketStream
    target: SocketStream | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def reset(self) -> None:
        """End it with a TCP reset on both sides."""
        for stream in (self.client, self.target):
            if stream is not None:
                _close_with_reset(stream)
        self.scope.cancel()


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the cable carries."""

    delay_s: float = 0.0
    """From one end to the other; a question and its answer take twice as long."""
    bytes_per_s: float = math.inf
    """In each direction, for all connections together; 0 carries nothing."""
    loss_share: float = 0.0
    """Chunks that come late by a repetition, as lost packets do to those who read a TCP stream."""
    reset_share: float = 0.0
    """Chunks at which the whole connection breaks."""
    queue_s: float = math.inf
    """How long a chunk waits for others before it. Beyond that connections take turns, and senders are held back, as
    they are by a full router. Without an end everything that is sent waits in the relay, small things behind large."""

    @property
    def turn_bytes(self) -> int:
        """How much is read of a connection at a time."""
        return _TURN_BYTES if math.isfinite(self.queue_s) else _CHUNK_BYTES


@dataclass(slots=True)
class _Lane:
    """One direction of the cable; it counts what arrived, and knows until when it is busy."""

    carried_bytes: int = 0
    busy_until_s: float = 0.0
    turn: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))
    """Whose chunk is next; those who wait come in the order in which they asked."""

    def due_s(self, size_bytes: int, quality: Quality, now_s: float) -> float:
        """Return when a chunk that is sent now arrives."""
        self.busy_until_s = max(now_s, self.busy_until_s) + size_bytes / quality.bytes_per_s
        return self.busy_until_s + quality.delay_s


class Relay:
    """Carries each connection on its own port to the target.

    Belongs to one event loop; programs without one use `ThreadedRelay`. With `port` 0 a free port is
    taken when `serve` begins.
    """

    def __init__(self, target_host: str, target_port: int, *, port: int = 0, seed: int = 0) -> None:
        self.port = port
        self._target = target_host, target_port
        self._quality, self._chance, self._clock = Quality(), SeededChance(seed), SystemClock()
        self._up, self._down = _Lane(), _Lane()
        self._cut: CutMode | None = None
        self._restored = anyio.Event()
        self._links: list[_Link] = []

    @property
    def connections(self) -> int:
        """How many connections are open through the relay."""
        return len(self._links)

    @property
    def up_bytes(self) -> int:
        """How many bytes reached the target."""
        return self._up.carried_bytes

    @property
    def down_bytes(self) -> int:
        """How many bytes came back from the target."""
        return self._down.carried_bytes

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Accept and carry connections until cancelled."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.port)
        async with listener:
            self.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 (a socket, not a Django query)
            task_status.started()
            await listener.serve(self._accept)

    def cut(self, mode: CutMode = CutMode.RESET) -> None:
        """Break the cable."""
        self._cut = mode
        if mode is CutMode.RESET:
            for link in self._links:
                link.reset()

    def carry(self, quality: Quality) -> None:
        """Carry what comes from now on as well as this."""
        self._quality = quality
        for link in self._links:
            _hold_back(link, quality)
        self._restored.set()
        self._restored = anyio.Event()

    def restore(self) -> None:
        """Mend the cable."""
        self._cut = None
        self._restored.set()
        self._restored = anyio.Event()

    async def _accept(self, client: SocketStream) -> None:
        link = _Link(client)
        self._links.append(link)
        try:
            with link.scope:
                async with client:
                    await self._carry(link)
        finally:
            self._links.remove(link)

    async def _carry(self, link: _Link) -> None:
        await self._passable(link)
        try:
            link.target = await anyio.connect_tcp(*self._target)
        except OSError:
            link.reset()
            return
        _hold_back(link, self._quality)
        async with link.target, anyio.create_task_group() as group:
            group.start_soon(self._pump, link, link.client, link.target, self._up)
            group.start_soon(self._pump, link, link.target, link.client, self._down)

    async def _pump(self, link: _Link, source: SocketStream, sink: SocketStream, lane: _Lane) -> None:
        sender, receiver = anyio.create_memory_object_stream[tuple[float, bytes]](_UNDER_WAY_MAX)
        try:
            async with anyio.create_task_group() as group, sender:
                group.start_soon(self._deliver, link, receiver, sink, lane)
                while chunk := await _next_of(source, self._quality.turn_bytes):
                    await self._passable(link)
                    await sender.send((await self._due_s(link, len(chunk), lane), chunk))
        except* _GONE:
            link.reset()

    async def _deliver(
        self, link: _Link, chunks: MemoryObjectReceiveStream[tuple[float, bytes]], sink: SocketStream, lane: _Lane
    ) -> None:
        async with chunks:
            async for due_s, chunk in chunks:
                if (early_s := due_s - self._clock.monotonic_s()) > 0:
                    await anyio.sleep(early_s)
                await self._passable(link)
                await sink.send(chunk)
                lane.carried_bytes += len(chunk)
        await self._passable(link)
        await sink.send_eof()

    async def _due_s(self, link: _Link, size_bytes: int, lane: _Lane) -> float:
        """Return when a chunk arrives; on a line that breaks with it, it never does."""
        while self._quality.bytes_per_s <= 0.0:
            await self._restored.wait()
        quality = self._quality
        async with lane.turn:
            if (full_s := lane.busy_until_s - self._clock.monotonic_s() - quality.queue_s) > 0:
                await anyio.sleep(full_s)
            due_s = lane.due_s(size_bytes, quality, self._clock.monotonic_s())
        if quality.reset_share and self._chance.share() < quality.reset_share:
            link.reset()
        if quality.loss_share and self._chance.share() < quality.loss_share:
            due_s += 2 * quality.delay_s + _REPEAT_S
        return due_s

    async def _passable(self, link: _Link) -> None:
        """Return when the cable is whole; a connection made while it is cut by reset ends here."""
        while self._cut is not None:
            if self._cut is CutMode.RESET:
                link.reset()
            await self._restored.wait()


class ThreadedRelay:
    """A relay with its own thread and event loop, for programs and tests that have none."""

    def __init__(self, target_host: str, target_port: int, *, port: int = 0) -> None:
        self._target = target_host, target_port
        self._wanted_port = port
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start to carry connections; `port` is known from here on."""
        with contextlib.ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal())
            self._relay = Relay(*self._target, port=self._wanted_port)
            serving, _ = self._portal.start_task(self._relay.serve)
            stack.callback(_end, serving)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection, the listener and the thread."""
        self._stack.close()

    @property
    def port(self) -> int:
        """The local port that leads to the target."""
        return self._relay.port

    @property
    def connections(self) -> int:
        """How many connections are open through the relay."""
        return self._relay.connections

    @property
    def up_bytes(self) -> int:
        """How many bytes reached the target."""
        return self._relay.up_bytes

    @property
    def down_bytes(self) -> int:
        """How many bytes came back from the target."""
        return self._relay.down_bytes

    def cut(self, mode: CutMode = CutMode.RESET) -> None:
        """Break the cable; when this returns, nothing passes any more."""
        self._portal.call(self._relay.cut, mode)

    def carry(self, quality: Quality) -> None:
        """Carry what comes from now on as well as this."""
        self._portal.call(self._relay.carry, quality)

    def restore(self) -> None:
        """Mend the cable."""
        self._portal.call(self._relay.restore)


async def _next_of(source: SocketStream, bytes_max: int) -> bytes:
    """Return what came, or nothing at the orderly end."""
    try:
        return await source.receive(bytes_max)
    except anyio.EndOfStream:
        return b""


def _hold_back(link: _Link, quality: Quality) -> None:
    """Let the kernel of this machine not hold what would wait at its sender on a line with such a queue."""
    if math.isinf(quality.queue_s) or link.target is None:
        return
    with contextlib.suppress(OSError):
        for stream in (link.client, link.target):
            raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 (a socket, not a Django query)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES)


def _end(serving: Future[None]) -> None:
    serving.cancel()


def _close_with_reset(stream: SocketStream) -> None:
    """Make the next close send a reset instead of an orderly end."""
    with contextlib.suppress(OSError):
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 (a socket, not a Django query)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
