"""Listens, sweeps out what takes too long, and stops so that every request under way is answered."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import anyio

from ganglion.core.errors import InvalidSettings, PortInUse
from ganglion.entrypoints.inference_api.connection import Application, Connection, Shared
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits

_SWEEP_S = 1.0
_RETRY_S = 0.1
_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one; `wait_s` is how long a taken port may become free."""

    host: str
    port: int
    wait_s: float = 0.0


class InferenceServer:
    """A listening server."""

    def __init__(self, server: asyncio.Server, shared: Shared) -> None:
        self._server, self._shared = server, shared
        host, port, *_ = server.sockets[0].getsockname()
        self.host: str = host
        self.port: int = port

    def begin_stop(self) -> None:
        """Accept nothing more, and end every connection after its answers."""
        self._shared.is_stopping = True
        self._server.close()
        for connection in list(self._shared.connections):
            connection.stop()

    async def finish(self, *, within_s: float) -> bool:
        """Wait for the answers under way, then close what is left. False: some were cut off."""
        with anyio.move_on_after(within_s):
            if self._shared.connections:
                await self._shared.emptied.wait()
        was_clean = not self._shared.connections
        for connection in list(self._shared.connections):
            connection.abort()
        return was_clean

    async def sweep(self) -> None:
        """Look at every connection once a second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await anyio.sleep(_SWEEP_S)
            for connection in list(self._shared.connections):
                connection.sweep(loop.time())


@contextlib.asynccontextmanager
async def serve_http(
    address: Address, limits: HttpLimits, make_application: Callable[[Shared], Application]
) -> AsyncIterator[InferenceServer]:
    """Listen on `address` while the context is open. Raises: PortInUse, InvalidSettings: it cannot be listened on."""
    loop = asyncio.get_running_loop()
    shared = Shared(limits, BodyBudget(limits.bodies_bytes_max))
    application = make_application(shared)
    listening = await _listen(address, lambda: Connection(shared, application, loop))
    server = InferenceServer(listening, shared)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.sweep)
            yield server
            tasks.cancel_scope.cancel()
    finally:
        server.begin_stop()
        await server.finish(within_s=0.0)


async def _listen(address: Address, factory: Callable[[], Connection]) -> asyncio.Server:
    with anyio.move_on_after(address.wait_s):
        while True:
            try:
                return await _listen_once(address.host, address.port, factory)
            except PortInUse:
                await anyio.sleep(_RETRY_S)
    return await _listen_once(address.host, address.port, factory)


async def _listen_once(host: str, port: int, factory: Callable[[], Connection]) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, host, port, backlog=_BACKLOG, reuse_address=True)
    except socket.gaierror as error:
        raise InvalidSettings(f"{host!r} is not an address of this machine: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"another program listens on {host}:{port} already") from error
        raise InvalidSettings(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
