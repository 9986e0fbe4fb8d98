"""Ganglion beside other model servers: the same ONNX file, the same requests, one core for the server, one run.

Peers: FastAPI with uvicorn, LitServe, MLServer, KServe's Python server, and Triton (the C++ server in NVIDIA's wheel,
which has no backend for ONNX files but the one in Python). Each server has core 0 for itself while it is asked; h2load
asks from core 1. CPU time is the kernel's account of all processes of a server. Blocks alternate, and every round
measures bare `session.run` on core 0 too: ratios are against that of the same round.

`make bench-peers` installs the peers below `.peers` (2 GB), prints tables, and writes bench/results/serving_peers.json
and bench/results/serving_peers.svg.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tritonclient.grpc  # type: ignore[import-untyped]  # it ships no types

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent)]

from _plot import bars  # noqa: E402
from _requests import Block, Request, Target, measure, requests_of  # noqa: E402
from _servers import NAMES, SERVER_CORE, Place, Ports, Tensors, install, start  # noqa: E402

from _models import BenchModel, mobile_net, open_session, tiny  # noqa: E402 - the folders above are no packages
from ganglion.testing.waiting import wait_until  # noqa: E402

RESULTS = HERE.parent / "results"
ENVIRONMENTS = HERE.parents[1] / ".peers"
START_S, STOP_S = 90.0, 20.0
Key = tuple[str, str, int]
Rounds = list[dict[Key, Block]]
RAW: Key = ("session.run", "", 1)


@contextmanager
def running(name: str, place: Place) -> Iterator[Target]:
    """Run a server until the block ends."""
    ports = Ports(_free_port(), _free_port())
    process = start(name, ENVIRONMENTS, place, ports)
    try:
        yield Target(process.pid, ports.http, ports.grpc)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        # Some leave workers behind when they end.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def check(target: Target, requests: dict[str, Request], model: BenchModel) -> None:
    """Wait until the server answers, and see that every kind of request gets the right numbers."""
    session = open_session(model.content)
    expected = np.asarray(session.run([model.output.name], {model.input.name: model.row})[0]).ravel()
    wait_until(lambda: _answers(target, requests["json"]), what="the server", timeout_s=START_S)
    for kind, request in requests.items():
        found = _ask_grpc(target, model) if request.is_grpc else _numbers(kind, *_ask(target, request))
        assert np.allclose(found, expected, atol=1e-5), f"{kind}: another answer than the model's"


def _answers(target: Target, request: Request) -> bool:
    try:
        return bool(_ask(target, request)[1])
    except OSError:
        return False


def _ask(target: Target, request: Request) -> tuple[int, bytes]:
    """Return an answer, and where in it the bytes of tensors begin."""
    url = f"http://127.0.0.1:{target.http}{request.path}"
    question = urllib.request.Request(url, request.body, request.headers)
    with urllib.request.urlopen(question, timeout=START_S) as reply:
        return int(reply.headers.get("Inference-Header-Content-Length", 0)), bytes(reply.read())


def _numbers(kind: str, begin: int, answer: bytes) -> "np.typing.NDArray[np.float32]":
    if kind == "json":
        document = json.loads(answer)
        rows = document["scores"] if "scores" in document else document["outputs"][0]["data"]
        return np.asarray(rows, np.float32).ravel()
    return np.frombuffer(answer[begin:], np.float32)


def _ask_grpc(target: Target, model: BenchModel) -> "np.typing.NDArray[np.float32]":
    item = tritonclient.grpc.InferInput(model.input.name, model.row.shape, model.input.datatype)
    item.set_data_from_numpy(model.row)
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{target.grpc}") as client:
        found = client.infer("demo", [item]).as_numpy(model.output.name)
    return np.asarray(found, np.float32).ravel()


def measure_raw(model: BenchModel, count: int) -> Block:
    """Run the model without a server, on the server's core."""
    session, feed = open_session(model.content), {model.input.name: model.row}
    os.sched_setaffinity(0, {SERVER_CORE})
    for _ in range(max(1, count // 10)):
        session.run([model.output.name], feed)
    times_ns, cpu_ns, began_s = [], time.thread_time_ns(), time.perf_counter()
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        session.run([model.output.name], feed)
        times_ns.append(time.perf_counter_ns() - began_ns)
    spent_ns, took_s = time.thread_time_ns() - cpu_ns, time.perf_counter() - began_s
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return Block(
        float(np.median(times_ns)) / 1e3,
        float(np.quantile(times_ns, 0.99)) / 1e3,
        spent_ns / count / 1e3,
        count / took_s,
    )


def compare(
    model: BenchModel, kinds: tuple[str, ...], names: list[str], options: argparse.Namespace, count: int
) -> Rounds:
    """Measure all servers in turns; all of them are up all the time, and idle when it is not their turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "demo.onnx"
        file.write_bytes(model.content)
        tensors = Tensors(
            model.input.name, model.input.shape, model.input.datatype, model.output.name, model.output.shape
        )
        work: dict[Key, tuple[Target, Request]] = {}
        for name in names:
            place = Place(folder / name, file, tensors)
            place.folder.mkdir()
            target = stack.enter_context(running(name, place))
            requests = {
                kind: each for kind, each in requests_of(name, model).items() if kind in kinds or kind == "json"
            }
            check(target, requests, model)
            print(f"{name}: {target.memory_bytes() / 1e6:.0f} MB (proportional set of all its processes)", flush=True)
            for kind in kinds:
                for connections in options.connections if kind in requests else ():
                    work[name, kind, connections] = (target, requests[kind])
        rounds: Rounds = []
        for number in range(options.rounds):
            order = list(reversed(work)) if number % 2 else list(work)
            blocks = {RAW: measure_raw(model, count)}
            for key in order:
                target, request = work[key]
                blocks[key] = measure(target, request, count, connections=key[2], folder=folder)
            rounds.append({key: blocks[key] for key in (RAW, *work)})
            print(f"round {number + 1} of {options.rounds}", flush=True)
        return rounds


def summarise(rounds: Rounds) -> list[dict[str, object]]:
    """Return medians and quartiles of the ratios against `session.run` of the same round."""

    def spread(values: list[float]) -> dict[str, float]:
        low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
        return {"median": round(middle, 2), "low": round(low, 2), "high": round(high, 2)}

    return [
        {
            "server": key[0],
            "request": key[1],
            "connections": key[2],
            "cpu_us": spread([each[key].cpu_us for each in rounds]),
            "cpu_ratio": spread([each[key].cpu_us / each[RAW].cpu_us for each in rounds]),
            "p50_us": spread([each[key].p50_us for each in rounds]),
            "p50_ratio": spread([each[key].p50_us / each[RAW].p50_us for each in rounds]),
            "p99_to_p50": spread([each[key].p99_us / each[key].p50_us for each in rounds]),
            "rate_ratio": spread([each[key].per_s / each[RAW].per_s for each in rounds]),
        }
        for key in rounds[0]
    ]


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Print a table."""
    figures = [column for column in rows[0] if column not in {"server", "request", "connections"}]
    print(f"\n{title:32}" + "".join(f"{column:>24}" for column in figures))
    for row in rows:
        cells = [f"{f['median']} ({f['low']}-{f['high']})" for f in map(row.get, figures) if isinstance(f, dict)]
        print(
            f"{row['server']!s:13}{row['request']!s:8}c={row['connections']!s:9}" + "".join(f"{c:>24}" for c in cells)
        )


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1500, help="per block, of the tiny model")
    parser.add_argument("--pictures", type=int, default=60, help="per block, of the CNN; 0 leaves it out")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--servers", nargs="+", choices=NAMES, default=list(NAMES))
    options = parser.parse_args()
    install(ENVIRONMENTS)
    tables = {"tiny": compare(tiny(), ("json", "binary", "grpc"), options.servers, options, options.requests)}
    if options.pictures:
        able = [name for name in options.servers if name != "litserve"]  # It takes lists only.
        tables["cnn"] = compare(mobile_net(), ("binary", "grpc"), able, options, options.pictures)
    summary = {name: summarise(rounds) for name, rounds in tables.items()}
    for name, rows in summary.items():
        show(name, rows)
    print("median of the rounds (quartiles); ratios against bare `session.run` of the same round")
    RESULTS.mkdir(exist_ok=True)
    rounds = {
        name: [{" ".join(map(str, key)): asdict(block) for key, block in each.items()} for each in found]
        for name, found in tables.items()
    }
    report = {"cores": os.cpu_count(), "load": os.getloadavg(), "summary": summary, "rounds": rounds}
    (RESULTS / "serving_peers.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "serving_peers.svg").write_text(bars(summary["tiny"]), encoding="utf-8")
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
