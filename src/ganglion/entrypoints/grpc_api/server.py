"""Listens for clients of gRPC, and stops so that every call under way is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import anyio

from ganglion.core.errors import GanglionError
from ganglion.entrypoints.client_access.listening import Address, ListeningServer, listen
from ganglion.entrypoints.grpc_api.calls import Methods
from ganglion.entrypoints.grpc_api.connection import Connection, Shared
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.session import Service
from ganglion.entrypoints.inference_api.limits import BodyBudget


class GrpcServer(ListeningServer):
    """A listening gRPC server."""

    def __init__(self, listening: Sequence[asyncio.Server], shared: Shared, address: Address) -> None:
        super().__init__(listening, shared, address)
        self._connections = shared.connections

    def give_up(self, error: GanglionError) -> None:
        """Accept nothing more, and end every call under way with `error`: the process ends in a moment."""
        self.begin_stop()
        for connection in list(self._connections):
            connection.give_up(error)


@contextlib.asynccontextmanager
async def serve_grpc(
    address: Address, limits: GrpcLimits, methods: Methods, *, budget: BodyBudget | None = None
) -> AsyncIterator[GrpcServer]:
    """Listen on `address` while the context is open. A `budget` is given by whoever shares it with another edge.

    Raises: PortInUse, InvalidSettings: it cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    shared = Shared(
        Service(limits, budget or BodyBudget(limits.bodies_bytes_max), methods), trusts_loopback=address.trusts_loopback
    )
    listening = await listen(address, lambda: Connection(shared, loop))
    server = GrpcServer(listening, shared, address)
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
