"""What serving adds to a model: requests over HTTP beside bare `session.run`, in the same run.

The model is the demo's (64-512-512-10). The server is the real serving process, with validation, records and
counts, on core 0; `session.run` takes its turns on the same core; the client has core 1. Blocks alternate, so
that a slow moment hits both, and only ratios inside one round are compared. CPU time is the kernel's account of
all threads. Prints a table and writes bench/results/serving.json.
"""

import argparse
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from onnx import TensorProto, helper, numpy_helper

from ganglion.adapters.package_files import write_package
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Manifest, TensorSpec, describe_member
from ganglion.ports.serving_control import ActiveModel, ActiveModels
from ganglion.testing.waiting import wait_until

RESULTS = Path(__file__).parent / "results"
LAYERS = (64, 512, 512, 10)
ROW = np.random.default_rng(0).standard_normal((1, LAYERS[0])).astype(np.float32)
BLOCKS = ("raw", "binary", "json", "binary x8")
CONNECTIONS = 8
SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Block:
    """Figures of one block of requests."""

    p50_us: float
    p99_us: float
    cpu_us: float
    """CPU time of the measured side per request."""


def model() -> bytes:
    """Return the demo's network with random weights; its cost does not depend on them."""
    rng, name = np.random.default_rng(1), "x"
    nodes, weights = [], []
    for layer, (size, units) in enumerate(itertools.pairwise(LAYERS)):
        matrix = (rng.standard_normal((size, units)) / size**0.5).astype(np.float32)
        weights += [
            numpy_helper.from_array(matrix, f"w{layer}"),
            numpy_helper.from_array(np.zeros(units, np.float32), f"b{layer}"),
        ]
        nodes.append(helper.make_node("Gemm", [name, f"w{layer}", f"b{layer}"], [f"h{layer}"]))
        is_last = layer == len(LAYERS) - 2
        nodes.append(
            helper.make_node("Softmax", [f"h{layer}"], ["p"], axis=-1)
            if is_last
            else helper.make_node("Relu", [f"h{layer}"], [f"r{layer}"])
        )
        name = f"r{layer}"
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", LAYERS[0]])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", LAYERS[-1]])]
    graph = helper.make_graph(nodes, "demo", inputs, outputs, weights)
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )


def open_session(content: bytes) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def write_node(data: Path, content: bytes) -> None:
    expected = open_session(content).run(["p"], {"x": ROW})[0]
    files = {"model.onnx": content, "x.npy": npy.encode(ROW), "p.npy": npy.encode(expected)}
    manifest = Manifest(
        name=ModelName("demo"),
        version=Version("1"),
        inputs=(TensorSpec("x", "FP32", (-1, LAYERS[0])),),
        outputs=(TensorSpec("p", "FP32", (-1, LAYERS[-1])),),
        labels=tuple("0123456789"),
        prediction=Classification("p"),
        golden=Golden({"x": "x.npy"}, {"p": "p.npy"}),
        members={name: describe_member(member) for name, member in files.items()},
    )
    package = data / "packages" / "demo" / "1"
    write_package(package, manifest, files)
    active = ActiveModels(models={"demo": ActiveModel("1", str(package))})
    (data / "active.json").write_bytes(msgspec.json.encode(active))


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int
    start_s: float


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    address = data / "run" / "serving.json"
    command = [sys.executable, "-m", "ganglion.entrypoints.serving_process", "--data", str(data), "--port", "0"]
    began_s = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until(address.exists, what="the serving process", timeout_s=30)
        started_s = time.perf_counter() - began_s
        for task in (Path("/proc") / str(process.pid) / "task").iterdir():
            os.sched_setaffinity(int(task.name), {SERVER_CORE})
        yield Server(process.pid, json.loads(address.read_bytes())["port"], started_s)
    finally:
        process.terminate()
        process.wait()


def binary_request() -> bytes:
    blob = ROW.tobytes()
    item = {"name": "x", "shape": [1, LAYERS[0]], "datatype": "FP32", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    return _post(head + blob, f"Inference-Header-Content-Length: {len(head)}\r\n")


def json_request() -> bytes:
    item = {"name": "x", "shape": [1, LAYERS[0]], "datatype": "FP32", "data": ROW.ravel().tolist()}
    return _post(json.dumps({"inputs": [item]}).encode(), "Content-Type: application/json\r\n")


def _post(body: bytes, fields: str) -> bytes:
    head = f"POST /v2/models/demo/infer HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


def read_answer(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return body


def cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process, as the scheduler accounts it."""
    tasks = (Path("/proc") / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def measure_raw(session: "onnxruntime.InferenceSession", count: int) -> Block:
    os.sched_setaffinity(0, {SERVER_CORE})
    times_ns = []
    for _ in range(50):
        session.run(["p"], {"x": ROW})
    cpu_before = time.thread_time_ns()
    for _ in range(count):
        began = time.perf_counter_ns()
        session.run(["p"], {"x": ROW})
        times_ns.append(time.perf_counter_ns() - began)
    return _block(times_ns, time.thread_time_ns() - cpu_before)


def measure_http(server: Server, request: bytes, count: int, *, connections: int) -> Block:
    """Send `count` requests, always one per connection in flight; the time is that of a whole turn per request."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(connections)]
    for connection in sockets:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times_ns = []
    for turn in range(-50, count // connections):
        if turn == 0:
            cpu_before = cpu_ns(server.pid)
        began = time.perf_counter_ns()
        for connection in sockets:
            connection.sendall(request)
        for connection in sockets:
            read_answer(connection)
        if turn >= 0:
            times_ns += [(time.perf_counter_ns() - began) // connections] * connections
    spent_ns = cpu_ns(server.pid) - cpu_before
    for connection in sockets:
        connection.close()
    return _block(times_ns, spent_ns)


def _block(times_ns: list[int], spent_ns: int) -> Block:
    return Block(
        p50_us=statistics.median(times_ns) / 1e3,
        p99_us=float(np.quantile(times_ns, 0.99)) / 1e3,
        cpu_us=spent_ns / len(times_ns) / 1e3,
    )


def measure_round(
    server: Server, session: "onnxruntime.InferenceSession", count: int, *, backwards: bool
) -> dict[str, Block]:
    work = {
        "raw": lambda: measure_raw(session, count),
        "binary": lambda: measure_http(server, binary_request(), count, connections=1),
        "json": lambda: measure_http(server, json_request(), count, connections=1),
        "binary x8": lambda: measure_http(server, binary_request(), count, connections=CONNECTIONS),
    }
    order = reversed(BLOCKS) if backwards else BLOCKS
    return {name: work[name]() for name in order}


def spread(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 2), "low": round(low, 2), "high": round(high, 2)}


def summarise(rounds: list[dict[str, Block]]) -> list[dict[str, object]]:
    return [
        {
            "kind": name,
            "p50_us": spread([figures[name].p50_us for figures in rounds]),
            "p99_us": spread([figures[name].p99_us for figures in rounds]),
            "cpu_us": spread([figures[name].cpu_us for figures in rounds]),
            "p50_ratio": spread([figures[name].p50_us / figures["raw"].p50_us for figures in rounds]),
            "cpu_ratio": spread([figures[name].cpu_us / figures["raw"].cpu_us for figures in rounds]),
        }
        for name in BLOCKS
    ]


def show(rows: list[dict[str, object]]) -> None:
    columns = ("p50_us", "p99_us", "cpu_us", "p50_ratio", "cpu_ratio")
    print(f"{'kind':10}" + "".join(f"{column:>22}" for column in columns))
    for row in rows:
        figures = [row[column] for column in columns]
        cells = [f"{f['median']} ({f['low']}-{f['high']})" for f in figures if isinstance(f, dict)]
        print(f"{row['kind']:10}" + "".join(f"{cell:>22}" for cell in cells))
    print("median of the rounds (quartiles); ratios against raw `session.run` of the same round")


def proportional_set_bytes(pid: int) -> int:
    lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=1000, help="per block")
    options = parser.parse_args()
    content = model()
    session = open_session(content)
    with tempfile.TemporaryDirectory() as folder:
        write_node(Path(folder), content)
        with serving(Path(folder)) as server:
            rounds = [
                measure_round(server, session, options.requests, backwards=bool(number % 2))
                for number in range(options.rounds)
            ]
            memory_bytes = proportional_set_bytes(server.pid)
    rows = summarise(rounds)
    show(rows)
    print(f"cold start {server.start_s:.2f} s, memory {memory_bytes / 1e6:.0f} MB (proportional set, after all rounds)")
    RESULTS.mkdir(exist_ok=True)
    report = {
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "load": os.getloadavg(),
        "cold_start_s": round(server.start_s, 3),
        "memory_bytes": memory_bytes,
        "summary": rows,
        "rounds": [{name: asdict(block) for name, block in figures.items()} for figures in rounds],
    }
    (RESULTS / "serving.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
