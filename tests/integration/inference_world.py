"""A real HTTP server on a real event loop in a thread, models that tests control, and a client that says anything."""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ganglion.core.errors import NotFound
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Datatype, Tensors, bytes_tensor
from ganglion.entrypoints.client_access.listening import Address
from ganglion.entrypoints.inference_api.connection import Shared
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.entrypoints.inference_api.repository import Done
from ganglion.entrypoints.inference_api.server import InferenceServer, serve_http
from ganglion.node.services.serving.answers import InferLimits, Serving
from ganglion.node.services.serving.lane import ThreadLane
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion, ServingTable
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from unit.node.serving_builders import FakeJournal, copy_through, manifest_of, package_of, version_of

TIMEOUT_S = 10.0
QUICK = HttpLimits(
    head_bytes_max=4096,
    body_bytes_max=100_000,
    bodies_bytes_max=300_000,
    connections_max=8,
    pipelined_max=4,
    request_s=0.5,
    idle_s=60.0,
    write_s=0.5,
    linger_s=0.2,
)
"""Limits that a test can reach."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document

    @property
    def reason(self) -> str:
        """The reason of an error, which must be a whole problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json
        assert problem["status"] == self.status
        assert problem["error"] == problem["detail"]
        assert {"title", "code"} <= problem.keys()
        return str(problem["error"])


class RawClient:
    """A socket, and just enough HTTP to read answers."""

    def __init__(self, address: int | Path, *, receive_buffer: int | None = None) -> None:
        """Connect to a TCP port of this machine, or to a Unix socket."""
        self.socket = socket.socket(socket.AF_INET if isinstance(address, int) else socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_S)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", address) if isinstance(address, int) else str(address))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def answer(self, *, has_body: bool = True) -> HttpAnswer:
        """Read one response."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers = {}
        while (field_line := self._file.readline().rstrip(b"\r\n")) != b"":
            name, _, value = field_line.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0")) if has_body else 0
        return HttpAnswer(int(line.split()[1]), headers, self._file.read(length))

    def is_closed(self) -> bool:
        """Wait until the server closes; False: it sent something instead."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class InferenceWorld:
    """The server, its models, and what they wait for."""

    port: int
    server: InferenceServer
    portal: BlockingPortal
    journal: FakeJournal
    table: ServingTable
    gate: threading.Event
    serving: Serving
    clients: list[RawClient] = field(default_factory=list)

    def client(self, *, receive_buffer: int | None = None) -> RawClient:
        client = RawClient(self.port, receive_buffer=receive_buffer)
        self.clients.append(client)
        return client

    def ask(self, request: bytes) -> HttpAnswer:
        """Send one request on a connection of its own."""
        client = RawClient(self.port)
        try:
            client.send(request)
            return client.answer()
        finally:
            client.close()

    def get(self, path: str) -> HttpAnswer:
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def infer(self, document: object, *, model: str = "steer") -> HttpAnswer:
        return self.ask(post(f"/v2/models/{model}/infer", json.dumps(document).encode()))

    def close_clients(self) -> None:
        while self.clients:
            self.clients.pop().close()

    def is_well(self) -> bool:
        """Say whether somebody else still gets the right answer."""
        answer = self.infer(json_request((0.25, 0.75)))
        return answer.status == 200 and b"[0.25,0.75]" in answer.body


def failing(feeds: Tensors) -> Tensors:
    raise ModelFailed("the model broke")


def shouting(feeds: Tensors) -> Tensors:
    return {"probabilities": bytes_tensor([word.upper() for word in feeds["x"].ravel()]).reshape(feeds["x"].shape)}


def special_version(datatype: Datatype, infer: Callable[[Tensors], Tensors]) -> LoadedVersion:
    """Return a version that takes and gives [-1, 2] of another datatype, and makes no predictions."""
    manifest = msgspec.structs.replace(
        manifest_of("1"),
        inputs=(TensorSpec("x", datatype, (-1, 2)),),
        outputs=(TensorSpec("probabilities", datatype, (-1, 2)),),
        prediction=None,
    )
    package = Package(Pipeline(manifest, infer), package_of("1").golden)
    return LoadedVersion("1", Path("/packages/special"), package, element_us=1.0)


@dataclass
class FakeRepository:
    """Remembers what it was asked; refuses every model that it does not know."""

    asked: list[str] = field(default_factory=list)

    def load(self, model: str, done: Done) -> None:
        self.asked.append(f"load {model}")
        done(None if model == "steer" else NotFound(f"there is no {model!r}"))

    def unload(self, model: str, done: Done) -> None:
        self.asked.append(f"unload {model}")
        done(None)


@contextlib.contextmanager
def inference_world(
    limits: HttpLimits = QUICK,
    *,
    queue_len_max: int = 4,
    repository: FakeRepository | None = None,
    uds: Path | None = None,
) -> Iterator[InferenceWorld]:
    """Serve `steer` (answers at once), `slow` (answers when the gate opens), `sick` (fails), and one per datatype."""
    gate, journal, table = threading.Event(), FakeJournal(), ServingTable()
    clock, chance = FakeClock(), SeededChance(1)

    def wait_at_gate(feeds: Tensors) -> Tensors:
        assert gate.wait(TIMEOUT_S), "the test opens the gate"
        return copy_through(feeds)

    for model, version in (
        ("steer", version_of("1")),
        ("slow", version_of("1", wait_at_gate, element_us=1e6)),
        ("sick", version_of("1", failing)),
        ("words", special_version("BYTES", shouting)),
        ("bf16", special_version("BF16", copy_through)),
        ("fp16", special_version("FP16", copy_through)),
    ):
        table.add(model, version)
        table.switch(model, "1", compare_with="", compare_share=0.0)
    table.add("steer", version_of("2"))
    table.expect("coming")

    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal(backend_options={"use_uvloop": True}))
        lane = portal.call(make_lane, queue_len_max)
        stack.callback(lane.close)
        stack.callback(gate.set)
        serving = Serving(
            table=table,
            lane=lane,
            recorder=Recorder(journal=journal, clock=clock, chance=chance),
            clock=clock,
            chance=chance,
            limits=InferLimits(),
        )

        def application(shared: Shared) -> InferenceApplication:
            return InferenceApplication(
                serving, release=lambda: "0.0.1", is_stopping=lambda: shared.is_stopping, repository=repository
            )

        serve = serve_http(Address("127.0.0.1", 0, uds=uds), limits, application)
        server = stack.enter_context(portal.wrap_async_context_manager(serve))
        world = InferenceWorld(server.port, server, portal, journal, table, gate, serving)
        stack.callback(world.close_clients)
        yield world


async def make_lane(queue_len_max: int) -> ThreadLane:
    return ThreadLane(asyncio.get_running_loop(), queue_len_max=queue_len_max)


def post(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    fields = "".join(f"{header}\r\n" for header in headers)
    size = len(body) if length is None else length
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n{fields}\r\n".encode() + body


def json_request(*rows: tuple[float, float], **members: object) -> dict[str, object]:
    data = [value for row in rows for value in row]
    return {"inputs": [{"name": "x", "shape": [len(rows), 2], "datatype": "FP32", "data": data}], **members}


def binary_request(*rows: tuple[float, float], model: str = "steer", **members: object) -> bytes:
    """Return a whole request whose tensor follows the JSON as bytes."""
    blob = np.array(rows, "<f4").tobytes()
    item = {"name": "x", "shape": [len(rows), 2], "datatype": "FP32", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item], **members}).encode()
    return post(f"/v2/models/{model}/infer", head + blob, f"Inference-Header-Content-Length: {len(head)}")


def floats(data: bytes) -> list[float]:
    return [value for (value,) in struct.iter_unpack("<f", data)]


def infer_json(row: tuple[float, float] = (0.25, 0.75), *, model: str = "steer", request_id: str = "") -> bytes:
    """Return a whole request with its tensor in JSON."""
    return post(f"/v2/models/{model}/infer", json.dumps(json_request(row, id=request_id)).encode())
