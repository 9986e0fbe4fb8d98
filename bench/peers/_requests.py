"""The request of each kind that each server takes, and h2load to send it."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tritonclient.grpc.service_pb2 as messages  # type: ignore[import-untyped]  # it ships no types

from _models import BenchModel

CLIENT_CORE = 1
_JSON = {"Content-Type": "application/json"}
_BYTES = {"Content-Type": "application/octet-stream"}
_GRPC = {"Content-Type": "application/grpc", "te": "trailers"}
_OIP = "/v2/models/demo/infer"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent again and again, and whether it travels in HTTP/2."""

    path: str
    body: bytes
    headers: dict[str, str]
    is_grpc: bool = False


def requests_of(server: str, model: BenchModel) -> dict[str, Request]:
    """Return the requests that a server takes, by kind."""
    rows, blob = model.row.tolist(), model.row.tobytes()
    match server:
        case "fastapi":
            body = json.dumps({"rows": rows}).encode()
            return {"json": Request("/json", body, _JSON), "binary": Request("/binary", blob, _BYTES)}
        case "litserve":
            return {"json": Request("/predict", json.dumps({"rows": rows}).encode(), _JSON)}
        case "mlserver":
            return {"json": _json(model, rows), "grpc": _grpc(model, blob)}
        case _:
            return {"json": _json(model, rows), "binary": _binary(model, blob), "grpc": _grpc(model, blob)}


def _json(model: BenchModel, rows: list[object]) -> Request:
    return Request(_OIP, json.dumps({"inputs": [{**_item(model), "data": rows}]}).encode(), _JSON)


def _binary(model: BenchModel, blob: bytes) -> Request:
    item = {**_item(model), "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    return Request(_OIP, head + blob, {**_BYTES, "Inference-Header-Content-Length": str(len(head))})


def _grpc(model: BenchModel, blob: bytes) -> Request:
    message = messages.ModelInferRequest(model_name="demo")
    item = message.inputs.add()
    item.name, item.datatype = model.input.name, model.input.datatype
    item.shape.extend(model.row.shape)
    message.raw_input_contents.append(blob)
    content = message.SerializeToString()
    frame = b"\0" + len(content).to_bytes(4, "big") + content
    return Request("/inference.GRPCInferenceService/ModelInfer", frame, _GRPC, is_grpc=True)


def _item(model: BenchModel) -> dict[str, object]:
    return {"name": model.input.name, "shape": list(model.row.shape), "datatype": model.input.datatype}


@dataclass(frozen=True, slots=True)
class Block:
    """Figures of one block of requests."""

    p50_us: float
    p99_us: float
    cpu_us: float
    """CPU time of the server, all its processes and threads, per request."""
    per_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    pid: int
    http: int
    grpc: int

    def members(self) -> list[Path]:
        """Return the entries in /proc of the server's process and of all that it started, and they started."""
        parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        found = {self.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return [Path("/proc") / str(pid) for pid in sorted(found)]

    def cpu_ns(self) -> int:
        """Return the CPU time of all threads, as the scheduler accounts it."""
        tasks = [task for entry in self.members() for task in (entry / "task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def memory_bytes(self) -> int:
        """Return the proportional set size of all processes."""
        texts = [(entry / "smaps_rollup").read_text() for entry in self.members()]
        return sum(
            int(line.split()[1]) * 1024 for text in texts for line in text.splitlines() if line.startswith("Pss:")
        )


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def measure(target: Target, request: Request, count: int, *, connections: int, folder: Path) -> Block:
    """Send `count` requests, one in flight per connection; a tenth more before them is not counted."""
    _send(target, request, max(connections, count // 10), connections, folder)
    cpu_ns, began_s = target.cpu_ns(), time.perf_counter()
    times_us = _send(target, request, count, connections, folder)
    spent_ns, took_s = target.cpu_ns() - cpu_ns, time.perf_counter() - began_s
    return Block(float(np.median(times_us)), float(np.quantile(times_us, 0.99)), spent_ns / count / 1e3, count / took_s)


def _send(target: Target, request: Request, count: int, connections: int, folder: Path) -> list[int]:
    body, log = folder / "body", folder / "h2load.log"
    body.write_bytes(request.body)
    log.unlink(missing_ok=True)
    command = ["taskset", "-c", str(CLIENT_CORE), "h2load", "-c", str(connections), "-n", str(count)]
    command += ["-d", str(body), f"--log-file={log}"]
    command += [] if request.is_grpc else ["--h1"]
    for name, value in request.headers.items():
        command += ["-H", f"{name}: {value}"]
    port = target.grpc if request.is_grpc else target.http
    subprocess.run([*command, f"http://127.0.0.1:{port}{request.path}"], check=True, stdout=subprocess.DEVNULL)
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    assert len(rows) == count, f"{len(rows)} of {count} requests were answered"
    assert all(status == "200" for _, status, _ in rows), "a request failed"
    return [int(time_us) for _, _, time_us in rows]
