"""Listens for clients of HTTP, and stops so that every request under way is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import anyio

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.client_access.listening import Address, ListeningServer, listen
from ganglion.entrypoints.inference_api.application import Application
from ganglion.entrypoints.inference_api.connection import Connection, Shared
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
from ganglion.entrypoints.inference_api.messages import problem_response


class InferenceServer(ListeningServer):
    """A listening HTTP server."""

    def __init__(self, listening: Sequence[asyncio.Server], shared: Shared, address: Address) -> None:
        super().__init__(listening, shared, address)
        self._connections = shared.connections

    def give_up(self, error: GanglionError) -> None:
        """Accept nothing more, and answer everything under way with `error`: the process ends in a moment."""
        response = problem_response(error)
        self.begin_stop()
        for connection in list(self._connections):
            connection.give_up(response)


@contextlib.asynccontextmanager
async def serve_http(
    address: Address, limits: HttpLimits, make_application: Callable[[Shared], Application]
) -> AsyncIterator[InferenceServer]:
    """Listen on `address` while the context is open. Raises: PortInUse, InvalidSettings: it cannot be listened on."""
    loop = asyncio.get_running_loop()
    shared = Shared(limits, BodyBudget(limits.bodies_bytes_max), trusts_loopback=address.trusts_loopback)
    application = make_application(shared)
    listening = await listen(address, lambda: Connection(shared, application, loop))
    server = InferenceServer(listening, shared, address)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.sweep)
            yield server
            tasks.cancel_scope.cancel()
    finally:
        server.begin_stop()
        await server.finish(within_s=0.0)
        if address.uds is not None:
            address.uds.unlink(missing_ok=True)
