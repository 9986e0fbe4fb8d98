"""A real serving process with real ONNX models."""

import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec
import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from onnx import TensorProto, helper, numpy_helper

from ganglion.adapters.control_socket import ControlClient, socket_path
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.package_files import write_package
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Manifest, TensorSpec, describe_member
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.ports.agent_store import JournalPosition
from ganglion.ports.serving_control import ActiveModel, ActiveModels, Command, Reply, ServingStatus, Status
from ganglion.testing.waiting import wait_until
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import RecordClass, ResultRecord

START_S = 30.0
FEATURES, CLASSES = 8, 3


def onnx_model(seed: int) -> bytes:
    """Return a small classifier whose answers depend on the seed."""
    weights = np.random.default_rng(seed).standard_normal((FEATURES, CLASSES)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("Softmax", ["s"], ["p"], axis=-1)],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def run_directly(seed: int, rows: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime says without us."""
    session = onnxruntime.InferenceSession(onnx_model(seed), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": rows})[0])


def write_model(directory: Path, *, name: str, version: str, seed: int) -> Path:
    """Write a package directory and return it."""
    rows = np.random.default_rng(9).standard_normal((4, FEATURES)).astype(np.float32)
    files = {
        "model.onnx": onnx_model(seed),
        "x.npy": npy.encode(rows),
        "p.npy": npy.encode(run_directly(seed, rows)),
    }
    manifest = Manifest(
        name=ModelName(name),
        version=Version(version),
        inputs=(TensorSpec("x", "FP32", (-1, FEATURES)),),
        outputs=(TensorSpec("p", "FP32", (-1, CLASSES)),),
        labels=("a", "b", "c"),
        prediction=Classification("p"),
        golden=Golden({"x": "x.npy"}, {"p": "p.npy"}),
        members={path: describe_member(content) for path, content in files.items()},
    )
    package = directory / name / version
    write_package(package, manifest, files)
    return package


@dataclass
class ServingUnderTest:
    """A serving process on a data directory of its own."""

    data: Path
    process: "subprocess.Popen[bytes] | None" = None
    active: dict[str, ActiveModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.packages = self.data / "packages"
        self.data.mkdir(exist_ok=True)

    def release(self, name: str, version: str, *, seed: int, active: bool = True) -> Path:
        package = write_model(self.packages, name=name, version=version, seed=seed)
        if active:
            self.active[name] = ActiveModel(version, str(package))
            self.write_active()
        return package

    def write_active(self) -> None:
        collection = CollectionSettings(confidence_below=0.0, random_share=0.0)
        active = ActiveModels(models=self.active, collection=collection)
        (self.data / "active.json").write_bytes(msgspec.json.encode(active))

    def spawn(
        self, *, port: int = 0, options: tuple[str, ...] = (), stdin: int = subprocess.PIPE
    ) -> "subprocess.Popen[bytes]":
        module = "ganglion.entrypoints.node.serving_process"
        arguments = ["--data", str(self.data), "--host", "127.0.0.1", "--port", str(port), *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=stdin,
            stderr=subprocess.PIPE,
            env=child_environment(),
        )
        return self.process

    def start(self, *, stdin: int = subprocess.PIPE) -> None:
        """Start it and return when it listens."""
        (self.data / "run" / "serving.json").unlink(missing_ok=True)
        self.spawn(stdin=stdin)
        wait_until(lambda: self.address().get("port"), what="the serving process", timeout_s=START_S)

    def address(self) -> Mapping[str, object]:
        try:
            document = json.loads((self.data / "run" / "serving.json").read_bytes())
        except FileNotFoundError:
            return {}
        assert isinstance(document, dict)
        return document

    def end(self) -> bytes:
        """Close its standard input, and return what it logged."""
        assert self.process is not None
        _, errors = self.process.communicate(timeout=START_S)
        return errors

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", int(str(self.address()["port"])), timeout=10)

    def tell(self, command: Command) -> Reply:
        return anyio.run(lambda: ControlClient(socket_path(self.data)).call(command, timeout_s=20))

    def status(self) -> ServingStatus:
        reply = self.tell(Status())
        assert isinstance(reply, ServingStatus)
        return reply

    def results(self) -> list[ResultRecord]:
        records = JournalReader(self.data / "journal").read(JournalPosition(), limit=1_000_000).records
        return [
            msgspec.msgpack.decode(record.payload, type=ResultRecord)
            for record in records
            if record.record_class is RecordClass.RESULT
        ]


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said to one row."""

    status: int
    version: str
    request_id: str
    scores: np.ndarray


def ask(connection: http.client.HTTPConnection, row: np.ndarray, *, request_id: str, model: str = "m") -> ModelAnswer:
    """Send one row as bytes and read the answer as bytes."""
    blob = row.astype("<f4").tobytes()
    item = {"name": "x", "shape": [1, FEATURES], "datatype": "FP32", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"id": request_id, "inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    connection.request(
        "POST", f"/v2/models/{model}/infer", head + blob, {"Inference-Header-Content-Length": str(len(head))}
    )
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        return ModelAnswer(response.status, "", "", np.empty(0))
    length = int(response.headers["Inference-Header-Content-Length"])
    document = json.loads(body[:length])
    scores = np.frombuffer(body[length:], "<f4")
    return ModelAnswer(response.status, document["model_version"], document["id"], scores)
