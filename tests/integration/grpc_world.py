"""The models of the inference world, behind a real gRPC server."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganglion.entrypoints.client_access.listening import Address
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.methods import inference_methods
from ganglion.entrypoints.grpc_api.server import GrpcServer, serve_grpc
from integration.inference_world import FakeRepository, InferenceWorld, inference_world


@dataclass
class GrpcWorld:
    """The server, and the world behind it."""

    server: GrpcServer
    inner: InferenceWorld
    is_stopping: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"


@contextlib.contextmanager
def grpc_world(*, repository: FakeRepository | None = None, uds: Path | None = None) -> Iterator[GrpcWorld]:
    """Serve by gRPC what `inference_world` serves by HTTP."""
    with inference_world(repository=repository) as inner:
        worlds: list[GrpcWorld] = []
        methods = inference_methods(
            inner.serving,
            loop=inner.portal.call(asyncio.get_running_loop),
            release="0.0.1",
            is_stopping=lambda: worlds[0].is_stopping,
            repository=repository,
        )
        serve = serve_grpc(Address("127.0.0.1", 0, uds=uds), GrpcLimits(), methods)
        with inner.portal.wrap_async_context_manager(serve) as server:
            worlds.append(GrpcWorld(server, inner))
            yield worlds[0]
