"""Where clients come: HTTP always, gRPC where it is asked for. Both answer from one serving core.

What gRPC needs is imported only then: a server without it starts as fast and stays as small as before.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import GanglionError, InvalidSettings, MissingExtra
from ganglion.entrypoints.client_access.guard import Guard, check_exposure, guard_of
from ganglion.entrypoints.client_access.listening import Address, TlsPlace, uds_of
from ganglion.entrypoints.inference_api.connection import Shared
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.entrypoints.inference_api.repository import Repository
from ganglion.entrypoints.inference_api.server import InferenceServer, serve_http
from ganglion.entrypoints.serving.core import ServingCore, installed_release
from ganglion.entrypoints.settings.edges import EdgeSettings
from ganglion.entrypoints.settings.local_tls import LocalTlsSettings

if TYPE_CHECKING:
    from ganglion.entrypoints.client_access.local_tls import EdgeContexts
    from ganglion.entrypoints.grpc_api.server import GrpcServer


class Edges:
    """The servers that listen, as one."""

    def __init__(self, http: InferenceServer, grpc: "GrpcServer | None", grpc_uds: Path | None) -> None:
        self._servers: Sequence[InferenceServer | GrpcServer] = (http,) if grpc is None else (http, grpc)
        self.host, self.port = http.host, http.port
        self.grpc_port = 0 if grpc is None else grpc.port
        """0: gRPC has no port."""
        self.tls_port, self.tls_grpc_port = http.tls_port, 0 if grpc is None else grpc.tls_port
        """0: no TLS is spoken."""
        self.grpc_uds = grpc_uds

    def begin_stop(self) -> None:
        """Accept nothing more, and end every connection after its answers."""
        for server in self._servers:
            server.begin_stop()

    async def finish(self, *, within_s: float) -> bool:
        """Wait for the answers under way, then close what is left. False: some were cut off."""
        outcomes: list[bool] = []

        async def finish_one(server: "InferenceServer | GrpcServer") -> None:
            outcomes.append(await server.finish(within_s=within_s))

        async with anyio.create_task_group() as tasks:
            for server in self._servers:
                tasks.start_soon(finish_one, server)
        return all(outcomes)

    def give_up(self, error: GanglionError) -> None:
        """Accept nothing more, and answer everything under way with `error`: the process ends in a moment."""
        for server in self._servers:
            server.give_up(error)


@asynccontextmanager
async def serve_clients(
    core: ServingCore,
    settings: EdgeSettings,
    *,
    clients: Path,
    wait_s: float = 0.0,
    repository: Repository | None = None,
) -> AsyncIterator[Edges]:
    """Listen while the context is open; `wait_s` is how long taken places may become free.

    `clients` is the file of those on other machines who may ask.

    With a `repository`, clients may load and unload models.
    Raises: PortInUse, InvalidSettings: it cannot be listened on. MissingExtra: gRPC is wanted and not installed.
    """
    check_exposure(settings.host, open_to_network=settings.open_to_network, clients=clients)
    check_proofs(settings)
    guard = guard_of(open_to_network=settings.open_to_network, clients=clients, clock=SystemClock())
    regions, shares = SharedRegions(), list[Shared]()

    def application(shared: Shared) -> InferenceApplication:
        shares.append(shared)
        return core.application(shared, repository=repository, regions=regions, guard=guard)

    limits = HttpLimits(body_bytes_max=settings.body_bytes_max)
    failure: GanglionError | None = None
    async with AsyncExitStack() as stack:
        address, grpc_address = stack.enter_context(_addresses(settings, clients, wait_s))
        http = await stack.enter_async_context(serve_http(address, limits, application))
        if grpc_address is None:
            yield Edges(http, None, None)
            return
        serving_grpc = _serve_grpc(core, grpc_address, shares[0], repository=repository, regions=regions, guard=guard)
        try:
            grpc = await stack.enter_async_context(serving_grpc)
        except GanglionError as error:
            failure = error
        else:
            yield Edges(http, grpc, grpc_address.uds)
    # Raised here, because the task group of the other server would wrap it.
    if failure is not None:
        raise failure


def check_proofs(settings: EdgeSettings) -> None:
    """Refuse settings that ask for proofs and let everybody pass. Raises: InvalidSettings."""
    if settings.open_to_network and (settings.tls.certificates_only or not settings.trust_loopback):
        raise InvalidSettings(
            "open_to_network lets everybody ask: it goes neither with certificates_only nor without trust_loopback"
        )


@contextmanager
def _addresses(settings: EdgeSettings, clients: Path, wait_s: float) -> Iterator[tuple[Address, Address | None]]:
    """Say where HTTP listens, and where gRPC does, if anywhere."""
    tls = settings.tls
    with _contexts(tls, clients) as contexts:
        place = partial(
            Address,
            settings.host,
            wait_s=wait_s,
            uds_mode=int(settings.uds_mode, 8),
            trusts_loopback=settings.trust_loopback,
        )
        http_tls = None if contexts is None or tls.port is None else TlsPlace(tls.host, tls.port, contexts.http)
        grpc_tls = (
            None if contexts is None or tls.grpc_port is None else TlsPlace(tls.host, tls.grpc_port, contexts.grpc)
        )
        has_grpc = settings.grpc_port is not None or settings.grpc_uds or grpc_tls
        grpc = place(settings.grpc_port, uds=uds_of(settings.grpc_uds), tls=grpc_tls) if has_grpc else None
        yield place(settings.port, uds=uds_of(settings.uds), tls=http_tls), grpc


@contextmanager
def _contexts(tls: LocalTlsSettings, clients: Path) -> Iterator["EdgeContexts | None"]:
    if not tls.is_wanted:
        yield None
        return
    from ganglion.entrypoints.client_access.local_tls import edge_contexts  # noqa: PLC0415 - 60 ms that only TLS should pay

    with edge_contexts(tls, clients, clock=SystemClock()) as contexts:
        yield contexts


@asynccontextmanager
async def _serve_grpc(
    core: ServingCore,
    address: Address,
    shared: Shared,
    *,
    repository: Repository | None,
    regions: SharedRegions,
    guard: Guard,
) -> AsyncIterator["GrpcServer"]:
    """Listen for gRPC, within the limits of HTTP. Raises: PortInUse, InvalidSettings, MissingExtra."""
    try:
        from ganglion.entrypoints.grpc_api.limits import GrpcLimits  # noqa: PLC0415 - see the module docstring
        from ganglion.entrypoints.grpc_api.methods import inference_methods  # noqa: PLC0415 - as above
        from ganglion.entrypoints.grpc_api.server import serve_grpc  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "ganglion":
            raise
        raise MissingExtra(f"gRPC needs {error.name}; run: pip install 'ganglion[grpc]'") from error
    methods = inference_methods(
        core.serving,
        loop=asyncio.get_running_loop(),
        release=installed_release(),
        is_stopping=lambda: shared.is_stopping,
        repository=repository,
        regions=regions,
        guard=guard,
    )
    limits = GrpcLimits(message_bytes_max=shared.limits.body_bytes_max)
    async with serve_grpc(address, limits, methods, budget=shared.budget) as server:
        yield server
