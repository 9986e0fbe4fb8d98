"""From nothing to the first answer, and what waits in memory then: `ganglion serve` beside what could be in its place.

Each round starts every program once, in turn, so that a slow moment of the machine hits all of them; the first round
warms the file cache and is not counted. The limit is the interpreter with numpy, ONNX Runtime and the loaded model,
which no server in Python can be faster than. FastAPI with uvicorn is how one would write such a server by hand.

Prints medians and spreads, and writes bench/results/cold_start.json. Memory is the proportional share (PSS), which
counts what processes share once; a program that other processes on this machine share libraries with looks smaller.
"""

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _models import tiny
from ganglion.testing.processes import free_port

RESULTS = Path(__file__).parent / "results"
ROUNDS = 11
PROMISE_S, PROMISE_MB = 0.3, 75.0
GANGLION = (sys.executable, "-m", "ganglion.entrypoints.cli.main", "serve")
LIMIT = """
    import sys, numpy, onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options)
    session.run(None, {"x": numpy.zeros((1, 64), numpy.float32)})
"""
BY_HAND = """
    import sys, fastapi, numpy, onnxruntime, uvicorn
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options)
    app = fastapi.FastAPI()

    @app.post("/v2/models/demo/infer")
    def infer(body: dict):
        item = body["inputs"][0]
        rows = numpy.array(item["data"], numpy.float32).reshape(item["shape"])
        return {"outputs": [{"data": session.run(None, {"x": rows})[0].ravel().tolist()}]}

    uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""
BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 64], "data": [0.5] * 64}]}).encode()


@dataclass(frozen=True)
class Start:
    """One start: until the first answer, and the memory of each of its processes when nobody asks any more."""

    seconds: float
    megabytes: tuple[float, ...] = ()


def first_answer(port: int) -> None:
    while True:
        with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as client:
            client.request("POST", "/v2/models/demo/infer", BODY, {"Content-Type": "application/json"})
            assert client.getresponse().status == http.client.OK
            return
        time.sleep(0.001)


def processes(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes(int(child)))]


def megabytes(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def start_server(*command: str, port: int) -> Start:
    began_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    first_answer(port)
    taken_s = time.perf_counter() - began_s
    time.sleep(0.5)
    start = Start(taken_s, tuple(megabytes(pid) for pid in processes(process.pid)))
    process.terminate()
    process.wait()
    return start


def run_once(*command: str) -> Start:
    began_s = time.perf_counter()
    subprocess.run(command, check=True)
    return Start(time.perf_counter() - began_s)


def programs(model: str) -> dict[str, Callable[[], Start]]:
    def serve(*options: str) -> Start:
        port = free_port()
        return start_server(*GANGLION, model, "--port", str(port), *options, port=port)

    def by_hand() -> Start:
        port = free_port()
        return start_server(sys.executable, "-c", textwrap.dedent(BY_HAND), model, str(port), port=port)

    return {
        "python alone": lambda: run_once(sys.executable, "-c", "pass"),
        "limit": lambda: run_once(sys.executable, "-c", textwrap.dedent(LIMIT), model),
        "fastapi by hand": by_hand,
        "ganglion serve": serve,
        "ganglion serve --no-supervise": lambda: serve("--no-supervise"),
    }


def told(name: str, starts: Sequence[Start], limits: Sequence[Start]) -> dict[str, object]:
    """Print and return what a program took, beside the limit of the same rounds."""
    seconds = sorted(start.seconds for start in starts)
    over_limit = statistics.median(start.seconds / limit.seconds for start, limit in zip(starts, limits, strict=True))
    memory = [statistics.median(part) for part in zip(*(start.megabytes for start in starts), strict=False)]
    held = " + ".join(f"{part:.1f}" for part in memory) or "-"
    print(
        f"{name:30s} {statistics.median(seconds):6.3f} s ({seconds[0]:.3f} to {seconds[-1]:.3f}), "
        f"{over_limit:4.2f}x the limit, {held} MB"
    )
    return {
        "median_s": statistics.median(seconds),
        "min_s": seconds[0],
        "max_s": seconds[-1],
        "times_limit": over_limit,
        "megabytes": memory,
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "demo.onnx")
        model.write_bytes(tiny().content)
        starts = programs(str(model))
        rounds = [{name: start() for name, start in starts.items()} for _ in range(ROUNDS + 1)][1:]
    limits = [each["limit"] for each in rounds]
    figures = {name: told(name, [each[name] for each in rounds], limits) for name in starts}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cold_start.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    ours = figures["ganglion serve"]
    held_max = max(part for each in rounds for part in each["ganglion serve"].megabytes)
    return int(float(str(ours["median_s"])) > PROMISE_S or held_max > PROMISE_MB)


if __name__ == "__main__":
    sys.exit(main())
