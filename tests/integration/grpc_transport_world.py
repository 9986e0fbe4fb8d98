"""A real gRPC server in a thread, with a service that echoes, counts, waits and fails, and the reference client."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc  # type: ignore[import-untyped] # the package brings no types
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ganglion.core.errors import NotFound
from ganglion.entrypoints.client_access.listening import Address
from ganglion.entrypoints.grpc_api.calls import Call, Methods, StreamMethod, UnaryMethod
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.server import GrpcServer, serve_grpc

TIMEOUT_S = 20.0
BIG = 8_000_000
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@dataclass
class EchoService:
    """What the calls of a test reach. Everything runs on the server's loop."""

    waiting: list[tuple[bytes, Call]] = field(default_factory=list)
    """Calls of `Wait`, which answers when the test says so."""
    ended: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    has_waiting: threading.Event = field(default_factory=threading.Event)

    @property
    def methods(self) -> Methods:
        return {
            "/test.Echo/Unary": UnaryMethod(self.echo),
            "/test.Echo/Count": UnaryMethod(self.count),
            "/test.Echo/Wait": UnaryMethod(self.wait),
            "/test.Echo/Fail": UnaryMethod(self.fail),
            "/test.Echo/Stream": StreamMethod(EchoStream),
        }

    def echo(self, content: bytes, call: Call) -> None:
        self.metadata = dict(call.metadata)
        call.send(content)
        call.finish()

    def count(self, content: bytes, call: Call) -> None:
        for number in range(int(content)):
            call.send(str(number).encode())
        call.finish()

    def wait(self, content: bytes, call: Call) -> None:
        call.on_end(lambda: self.ended.append(content.decode()))
        self.waiting.append((content, call))
        self.has_waiting.set()

    def fail(self, content: bytes, call: Call) -> None:
        raise NotFound("100 % gone: \u00e9")

    def answer_waiting(self) -> None:
        for content, call in self.waiting:
            call.send(content)
            call.finish()
        self.waiting.clear()


@dataclass
class EchoStream:
    call: Call

    def receive(self, content: bytes) -> None:
        self.call.send(content)

    def end(self) -> None:
        self.call.finish()


@dataclass
class TransportWorld:
    server: GrpcServer
    portal: BlockingPortal
    service: EchoService

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @contextlib.contextmanager
    def channel(self, address: str = "") -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(address or self.address, options=_ANY_SIZE) as channel:
            yield channel


@contextlib.contextmanager
def transport_world(
    limits: GrpcLimits | None = None, *, uds: Path | None = None, has_uvloop: bool = True
) -> Iterator[TransportWorld]:
    service = EchoService()
    with start_blocking_portal(backend_options={"use_uvloop": has_uvloop}) as portal:
        serve = serve_grpc(Address("127.0.0.1", 0, uds=uds), limits or GrpcLimits(), service.methods)
        with portal.wrap_async_context_manager(serve) as server:
            yield TransportWorld(server, portal, service)
