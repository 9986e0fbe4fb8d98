"""`ganglion serve` as a real process, and a client that speaks the protocol as little as possible."""

import http.client
import json
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import DATATYPES, DTYPES, Tensors
from ganglion.entrypoints.settings.tree import child_environment
from integration.models import classifier

StartServe: TypeAlias = "Callable[..., Serve]"
"""Starts `ganglion serve PATH OPTIONS...` for the length of a test."""
START_S = 60.0
GANGLION = (sys.executable, "-m", "ganglion.entrypoints.cli.main")


@dataclass
class Serve:
    """One `ganglion serve`."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    """What it said on standard output until it was ready."""

    @classmethod
    def start(cls, path: Path, *options: str) -> "Serve":
        """Start it on a free port and return when it has said what to try."""
        served = cls(spawn(path, *options))
        said: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def read() -> None:
            for line in served.process.stdout or ():
                said.put(line)
            said.put(None)

        threading.Thread(target=read, daemon=True).start()
        while not (served.lines and "curl" in served.lines[-1]):
            line = None
            with suppress(queue.Empty):
                line = said.get(timeout=START_S)
            if line is None:
                served.process.kill()
                raise AssertionError(f"it did not start: {served.lines} {served.process.communicate()}")
            served.lines.append(line.rstrip("\n"))
        return served

    @property
    def port(self) -> int:
        url = next(line.strip() for line in self.lines if line.strip().startswith("http"))
        return urlsplit(url.split()[0]).port or 0

    @property
    def suggestion(self) -> str:
        """The line to try."""
        return self.lines[-1].strip()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = self.connect()
        connection.request("POST", path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content

    def model(self, name: str) -> "HttpModel":
        connection = self.connect()
        connection.request("GET", f"/v2/models/{name}")
        document = json.loads(connection.getresponse().read())
        connection.close()
        inputs = tuple(TensorSpec(each["name"], each["datatype"], tuple(each["shape"])) for each in document["inputs"])
        return HttpModel(self, name, inputs)

    def end(self, signal_number: int) -> tuple[int, str]:
        """Send a signal; return the exit code and standard error."""
        self.process.send_signal(signal_number)
        _, errors = self.process.communicate(timeout=START_S)
        return self.process.returncode, errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class HttpModel:
    """A served model that looks like an engine: names and arrays in, names and arrays out."""

    serve: Serve
    name: str
    inputs: tuple[TensorSpec, ...]

    def infer(self, feeds: Tensors) -> Tensors:
        """Ask in the binary form, which keeps every bit."""
        items = [_item(name, tensor) for name, tensor in feeds.items()]
        head = json.dumps({"inputs": items, "parameters": {"binary_data_output": True}}).encode()
        body = b"".join([head, *(tensor.tobytes() for tensor in feeds.values())])
        connection = self.serve.connect()
        fields = {"Inference-Header-Content-Length": str(len(head))}
        connection.request("POST", f"/v2/models/{self.name}/infer", body, fields)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        assert response.status == http.client.OK, content
        return _outputs(content, int(response.headers["Inference-Header-Content-Length"]))


def put_version(folder: Path, version: str, *, factor: float = 4.0) -> None:
    """Put a version of the model "gate" where the folder keeps it."""
    place = folder / "gate" / version
    place.mkdir(parents=True, exist_ok=True)
    classifier(place / "model.onnx", factor=factor)


def spawn(path: Path, *options: str) -> "subprocess.Popen[str]":
    command = [*GANGLION, "serve", str(path), "--port", "0", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=child_environment())


def outcome(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Return what it said when it has ended, and everybody who held its pipes; what does not end is killed."""
    try:
        return process.communicate(timeout=START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def follow(serve: Serve) -> dict[str, object]:
    """Do what the suggested line says, and return the answer."""
    producer, _, consumer = serve.suggestion.rpartition(" | ")
    words = shlex.split(consumer)
    body = words[words.index("-d") + 1].encode()
    if producer:
        program, *arguments = shlex.split(producer)
        assert (program, body) == ("ganglion", b"@-")
        body = subprocess.run([*GANGLION, *arguments], check=True, stdout=subprocess.PIPE).stdout
    status, content = serve.post(urlsplit(words[-1]).path, body)
    assert status == http.client.OK, content
    document = json.loads(content)
    assert isinstance(document, dict)
    return document


def _item(name: str, tensor: NDArray[np.generic]) -> dict[str, object]:
    size = {"binary_data_size": tensor.nbytes}
    return {"name": name, "datatype": DATATYPES[tensor.dtype], "shape": tensor.shape, "parameters": size}


def _outputs(content: bytes, head_bytes: int) -> Tensors:
    position, outputs = head_bytes, {}
    for item in json.loads(content[:head_bytes])["outputs"]:
        end = position + item["parameters"]["binary_data_size"]
        flat = np.frombuffer(content[position:end], DTYPES[item["datatype"]])
        outputs[item["name"]] = flat.reshape(item["shape"])
        position = end
    return outputs
