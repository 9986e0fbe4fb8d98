"""A real hub behind a real TLS port, the people and nodes that call it, and packages to release."""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
import urllib3
from anyio.from_thread import start_blocking_portal
from onnx import TensorProto, helper

from ganglion.adapters.package_files import pack, write_package
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core import manifest as manifests
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Golden, Manifest, TensorSpec
from ganglion.entrypoints.hub_process.server import HubServer
from ganglion.entrypoints.hub_wiring.hub import Hub, open_hub
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.trust import assertion
from ganglion.wire import codec, paths
from ganglion.wire.desired import ModelStatus, NodeReport
from ganglion.wire.identity import AccessReply, AccessRequest, Challenge, JoinReply, JoinRequest, NodeFacts
from ganglion.wire.records import Ack, Batch, Envelope, RecordClass, SampleRecord, SampleTensor

_BEGAN_AT_NS = SystemClock().utc_ns()
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")
STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, read to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> object:
        return json.loads(self.body)

    @property
    def code(self) -> object:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json
        assert isinstance(problem, dict)
        assert problem["status"] == self.status
        assert set(problem) >= {"title", "detail"}
        return problem["code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever calls a hub that listens, by default with the token of its first account."""

    url: str
    token: str
    ca_file: Path
    ca_pin: str
    pool: urllib3.PoolManager

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call as the holder of `token`; the first account by default, nobody with an empty one."""
        token = self.token if token is None else token
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        reply = self.pool.request(
            method, self.url + path, body=body, headers={**sent, **(headers or {})}, redirect=False, retries=False
        )
        return Answer(reply.status, reply.data, {name.lower(): reply.headers[name] for name in reply.headers})

    def post(self, path: str, document: object, **options: str) -> Answer:
        """Post JSON as the first account, or as `token`."""
        body = json.dumps(document).encode()
        return self.call("POST", path, body=body, headers={"Content-Type": "application/json"}, **options)

    def connect(self) -> ssl.SSLSocket:
        """Open a bare TLS connection, for what no HTTP client would send."""
        address = urlsplit(self.url)
        context = ssl.create_default_context(cafile=self.ca_file)
        raw = socket.create_connection((address.hostname, address.port), timeout=STOP_S)
        return context.wrap_socket(raw, server_hostname=address.hostname)

    def join(self, name: str, site: str = "north") -> "CallingNode":
        """Enrol a node and prove its identity, over HTTP."""
        token = self.post(paths.NODE_TOKENS, {"name": name, "site": site}).json
        assert isinstance(token, dict)
        key = SystemChance().token_bytes(32)
        request = JoinRequest(token=token["token"], public_key=assertion.public_key_of(key), facts=FACTS)
        answer = self.call("POST", paths.JOIN, token="", body=codec.encode_json(request))
        node = CallingNode(self, codec.decode_json(answer.body, JoinReply), key)
        node.prove()
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedHub(Caller):
    """A hub in this process, open to tests that look inside."""

    hub: Hub
    stop: Callable[[], None]
    """Begin to stop the server; the second time, do not wait for requests."""


@dataclass(slots=True)
class CallingNode:
    """An enrolled node."""

    caller: Caller
    identity: JoinReply
    key: bytes
    token: str = ""
    seq: int = field(default=0)

    def prove(self) -> None:
        """Exchange a signed challenge for an access token."""
        answer = self.caller.call("POST", paths.CHALLENGE, token="", body=b"")
        challenge = codec.decode_json(answer.body, Challenge)
        payload = assertion.compose(
            node_id=self.identity.node_id,
            audience=self.caller.ca_pin,
            nonce=challenge.nonce,
            issued_at_s=challenge.issued_at_s,
        )
        request = AccessRequest(assertion=payload, signature=assertion.sign(self.key, payload))
        answer = self.caller.call("POST", paths.ACCESS, token="", body=codec.encode_json(request))
        self.token = codec.decode_json(answer.body, AccessReply).access_token

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Call as this node."""
        return self.caller.call(method, path, token=self.token, body=body, headers=headers)

    def desired(self, revision: int, wait_s: float) -> Answer:
        """Ask for a desired state newer than `revision`."""
        incarnation = self.identity.incarnation
        return self.call("GET", f"{paths.DESIRED}?incarnation={incarnation}&revision={revision}&wait_s={wait_s}")

    def report(self, *models: ModelStatus) -> Answer:
        """Report these models as what is true now."""
        told = NodeReport(
            incarnation=self.identity.incarnation,
            revision=0,
            models=models,
            facts=FACTS,
            epoch="e1",
            made=self.seq,
            waiting=0,
        )
        return self.call("POST", paths.REPORT, codec.encode_json(told))

    def send(self, *payloads: tuple[RecordClass, msgspec.Struct], at_ns: int = _BEGAN_AT_NS) -> Answer:
        """Send records in one batch; they were made one after the other from `at_ns` on."""
        records = [
            # A record's time is its own: the same record sent again carries the same time.
            Envelope(self.seq + number, int(kind), at_ns + self.seq + number, codec.encode_packed(payload))
            for number, (kind, payload) in enumerate(payloads, start=1)
        ]
        batch = Batch(id="b1", sent_at_ns=0, epoch="e1", records=tuple(records), made=self.seq + len(records))
        answer = self.call(
            "POST", paths.BATCHES, codec.compress(codec.encode_packed(batch)), **{"Content-Type": codec.BATCH_TYPE}
        )
        if answer.status == 200:
            self.seq = codec.decode_json(answer.body, Ack).cursor
        return answer


@contextlib.contextmanager
def serving(settings: HubSettings) -> Iterator[ServedHub]:
    """Serve a hub from a thread until the block ends, and see that it stops in time."""
    with (
        open_hub(settings, clock=SystemClock(), chance=SystemChance()) as hub,
        start_blocking_portal() as portal,
        urllib3.PoolManager(ca_certs=str(hub.tls.ca_path), timeout=urllib3.Timeout(STOP_S)) as pool,
    ):
        server = HubServer(hub, on_listening=lambda _: None)
        running = portal.start_task_soon(server.run)
        try:
            token = hub.accounts.first_account() or ""
            yield ServedHub(
                url=server.listening.url,
                token=token,
                ca_file=hub.tls.ca_path,
                ca_pin=hub.tls.ca_pin,
                pool=pool,
                hub=hub,
                stop=partial(portal.call, server.stop),
            )
        finally:
            portal.call(server.stop)
            pool.clear()
            running.result(timeout=STOP_S)


def make_package(directory: Path, version: str = "1", *, model: str = "digits", weights: bytes = b"weights") -> Path:
    """Return a package file with an input that people can look at. Its model has these weights and no operator."""
    pixels, scores = np.zeros((1, 4), dtype=np.float32), np.zeros((1, 2), dtype=np.float32)
    tensor = helper.make_tensor("weights", TensorProto.UINT8, [len(weights)], weights, raw=True)
    model_file = helper.make_model(helper.make_graph([], "graph", [], [], initializer=[tensor])).SerializeToString()
    files = {"model.onnx": model_file, "golden/pixels.npy": npy.encode(pixels), "golden/scores.npy": npy.encode(scores)}
    manifest = Manifest(
        name=ModelName(model),
        version=Version(version),
        inputs=(TensorSpec("pixels", "FP32", (-1, 4), "NF", (2, 2)),),
        outputs=(TensorSpec("scores", "FP32", (-1, 2), "NC"),),
        labels=("zero", "one"),
        prediction=manifests.Classification("scores"),
        golden=Golden(inputs={"pixels": "golden/pixels.npy"}, outputs={"scores": "golden/scores.npy"}),
        members={path: manifests.describe_member(data) for path, data in files.items()},
    )
    write_package(directory / f"{model}-{version}", manifest, files)
    file = directory / f"{model}-{version}.ganglion"
    pack(directory / f"{model}-{version}", file)
    return file


def make_sample(prediction: str = "one", confidence: float = 0.4, *, model: str = "digits") -> SampleRecord:
    """Return a sample of two by two pixels."""
    pixels = np.array([[0, 1, 2, 3]], dtype="<f4")
    return SampleRecord(
        model=model,
        version="1",
        request_id="r1",
        reason="low_confidence",
        label=prediction,
        confidence=confidence,
        inputs={"pixels": SampleTensor("FP32", (1, 4), pixels.tobytes())},
    )
