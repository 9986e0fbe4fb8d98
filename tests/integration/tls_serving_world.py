"""A serving port that speaks TLS, over HTTP and gRPC, and clients that show what they have."""

import contextlib
import http.client
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]  # it ships no types
from anyio.from_thread import start_blocking_portal
from tritonclient.grpc import service_pb2, service_pb2_grpc  # type: ignore[import-untyped]  # as above

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import NotFound
from ganglion.entrypoints.client_access.local_clients import ClientFile, Wish
from ganglion.entrypoints.serving.core import serving_core
from ganglion.entrypoints.serving.edges import Edges, serve_clients
from ganglion.entrypoints.settings.local_tls import LocalTlsSettings
from ganglion.entrypoints.settings.serve import ServeSettings
from ganglion.node.services.serving.runs import Package
from unit.node.serving_builders import NOTHING_COLLECTED, FakeJournal, version_of

TIMEOUT_S = 10.0
BODY = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}]}
"""A request that the model `steer` answers."""


@dataclass(frozen=True, slots=True)
class TlsWorld:
    """The server, and the file of its clients."""

    server: Edges
    clients: ClientFile

    def add(self, name: str, out: Path, **wish: object) -> Path:
        """Give a client a certificate, in a file below `out`."""
        file = out / f"{name}.pem"
        self.clients.add_with_certificate(Wish(name=name, **wish), file, clock=SystemClock())  # type: ignore[arg-type]  # the wishes of tests
        return file

    def add_token(self, name: str, **wish: object) -> str:
        return self.clients.add(Wish(name=name, **wish), chance=SystemChance(), clock=SystemClock())  # type: ignore[arg-type]  # as above

    @property
    def authority(self) -> Path:
        return self.clients.path.with_name("clients-tls") / "ca.pem"

    def context(self, certificate: Path | None) -> ssl.SSLContext:
        """Return what a client speaks TLS with; it verifies the server."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def connect(self, certificate: Path | None) -> http.client.HTTPSConnection:
        context = self.context(certificate)
        return http.client.HTTPSConnection("localhost", self.server.tls_port, timeout=TIMEOUT_S, context=context)

    def ask(self, path: str, certificate: Path | None = None, *, token: str = "", body: object = None) -> int:
        """Return the status of an answer over HTTPS. Raises: OSError: no connection came about."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with contextlib.closing(self.connect(certificate)) as line:
            return status_of(line, path, headers, body)

    def ask_grpc(self, certificate: Path | None = None, *, token: str = "", model: str = "steer") -> str:
        """Return the code of an answer over gRPC, to a request for inference that holds no inputs."""
        pem = certificate.read_bytes() if certificate else None
        credentials = grpc.ssl_channel_credentials(self.authority.read_bytes(), pem, pem)
        metadata = [("authorization", f"Bearer {token}")] if token else []
        with grpc.secure_channel(f"localhost:{self.server.tls_grpc_port}", credentials) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            try:
                request = service_pb2.ModelMetadataRequest(name=model)
                stub.ModelMetadata(request, timeout=TIMEOUT_S, metadata=metadata)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"


def status_of(line: http.client.HTTPConnection, path: str, headers: dict[str, str], body: object = None) -> int:
    """Ask once on a connection that stays open."""
    text = None if body is None else json.dumps(body)
    line.request("GET" if text is None else "POST", path, body=text, headers=headers)
    answer = line.getresponse()
    answer.read()
    return answer.status


@contextlib.contextmanager
def tls_world(directory: Path, *, trust_loopback: bool = True, **tls: object) -> Iterator[TlsWorld]:
    """Serve the model `steer`, over plain HTTP and gRPC, and over TLS."""
    clients = directory / "clients.json"
    wanted = LocalTlsSettings(port=0, grpc_port=0, **tls)  # type: ignore[arg-type]  # the settings of tests
    settings = ServeSettings(
        port=0, grpc_port=0, uds=str(directory / "s"), uds_mode="600", tls=wanted, trust_loopback=trust_loopback
    )
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(_serve(settings, clients)) as server,
    ):
        yield TlsWorld(server, ClientFile(clients))


@contextlib.asynccontextmanager
async def _serve(settings: ServeSettings, clients: Path) -> AsyncIterator[Edges]:
    with serving_core(
        open_package=_open_nothing, journal=FakeJournal(), collection=NOTHING_COLLECTED, queue_len_max=4
    ) as core:
        core.serving.table.add("steer", version_of("1"))
        core.serving.table.switch("steer", "1", compare_with="", compare_share=0.0)
        async with serve_clients(core, settings, clients=clients) as server:
            yield server


def _open_nothing(directory: Path) -> Package:
    raise NotFound(f"no package lies in {directory}")
