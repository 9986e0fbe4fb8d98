"""A serving process on one core, and load from another: h2load where it is installed, for a client that costs little.

h2load is in Debian's package nghttp2-client. It keeps one request in flight per connection, and logs the time of each.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _models import BenchModel
from ganglion.testing.waiting import wait_until

SERVER_CORE, CLIENT_CORE = 0, 1
_WARM_UP_SHARE = 10
_START_S = 30


@dataclass(frozen=True, slots=True)
class Block:
    """Figures of one block of requests."""

    p50_us: float
    p99_us: float
    cpu_us: float
    """CPU time of the measured side per request."""
    per_s: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running serving process."""

    pid: int
    port: int
    uds: Path
    start_s: float

    def cpu_ns(self) -> int:
        """Return the CPU time of all its threads, as the scheduler accounts it."""
        tasks = (Path("/proc") / str(self.pid) / "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def proportional_set_bytes(self) -> int:
        """Return its memory, with its share of what it shares."""
        lines = (Path("/proc") / str(self.pid) / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@contextmanager
def serving(data: Path, *, cores: str = str(SERVER_CORE)) -> Iterator[Server]:
    """Run the serving process of a node's directory on its core, or on others."""
    address, uds = data / "run" / "serving.json", data / "serving.sock"
    module = "ganglion.entrypoints.node.serving_process"
    command = ["taskset", "-c", cores, sys.executable, "-m", module, "--data", str(data), "--port", "0"]
    began_s = time.perf_counter()
    process = subprocess.Popen([*command, "--uds", str(uds)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until(address.exists, what="the serving process", timeout_s=_START_S)
        started_s = time.perf_counter() - began_s
        yield Server(process.pid, json.loads(address.read_bytes())["port"], uds, started_s)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent again and again."""

    path: str
    body: bytes
    headers: dict[str, str]


def binary_request(model: BenchModel) -> Request:
    """Return a request whose tensors are bytes, both ways."""
    blob = model.row.tobytes()
    item = {**_item(model), "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    return Request(_path(model), head + blob, {"Inference-Header-Content-Length": str(len(head))})


def json_request(model: BenchModel) -> Request:
    """Return a request whose tensors are lists, both ways."""
    item = {**_item(model), "data": model.row.ravel().tolist()}
    return Request(_path(model), json.dumps({"inputs": [item]}).encode(), {"Content-Type": "application/json"})


def _item(model: BenchModel) -> dict[str, object]:
    return {"name": model.input.name, "shape": list(model.row.shape), "datatype": model.input.datatype}


def _path(model: BenchModel) -> str:
    return f"/v2/models/{model.name}/infer"


@dataclass(frozen=True, slots=True)
class Load:
    """Sends requests and measures what they cost the server."""

    server: Server
    folder: Path

    def measure(self, request: Request, count: int, *, connections: int, uds: bool = False) -> Block:
        """Send `count` requests, one in flight per connection. The first tenth more is not counted."""
        self._send(request, max(connections, count // _WARM_UP_SHARE), connections, uds=uds)
        cpu_ns, began_s = self.server.cpu_ns(), time.perf_counter()
        times_us = self._send(request, count, connections, uds=uds)
        spent_ns, took_s = self.server.cpu_ns() - cpu_ns, time.perf_counter() - began_s
        return Block(
            p50_us=float(np.median(times_us)),
            p99_us=float(np.quantile(times_us, 0.99)),
            cpu_us=spent_ns / count / 1e3,
            per_s=count / took_s,
        )

    def _send(self, request: Request, count: int, connections: int, *, uds: bool) -> list[int]:
        body, log = self.folder / "body", self.folder / "h2load.log"
        body.write_bytes(request.body)
        log.unlink(missing_ok=True)
        command = ["taskset", "-c", str(CLIENT_CORE), _h2load(), "--h1", "-c", str(connections), "-n", str(count)]
        command += ["-d", str(body), f"--log-file={log}"]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        if uds:
            command += [f"--base-uri=unix:{self.server.uds}"]
        command.append(f"http://127.0.0.1:{self.server.port}{request.path}")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
        assert len(rows) == count, f"{len(rows)} of {count} requests were answered"
        assert all(status == "200" for _, status, _ in rows), "a request failed"
        return [int(time_us) for _, _, time_us in rows]


def _h2load() -> str:
    found = shutil.which("h2load")
    if found is None:
        sys.exit("bench/serving.py needs h2load: on Debian `apt install nghttp2-client`")
    return found
