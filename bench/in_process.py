"""What `ganglion.Model` adds to `session.run` inside one program; less than 10 µs is what we promise.

The model is the demo's (64-512-512-10), once as a bare file and once as a package that makes a prediction per row.
Raw and ours take turns of one call each, on one core, so that a slow moment hits all; overheads and ratios are taken
between the medians of one round. Prints a table, writes bench/results/in_process.json, and fails when the median
overhead of the bare file is over the promise.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from onnx import TensorProto, helper, numpy_helper

from ganglion import Model
from ganglion.adapters.package_files import write_package
from ganglion.core import npy
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Manifest, TensorSpec, describe_member

RESULTS = Path(__file__).parent / "results"
LAYERS = (64, 512, 512, 10)
ROW = np.random.default_rng(0).standard_normal((1, LAYERS[0])).astype(np.float32)
PROMISE_US = 10.0
KINDS = ("session.run", "bare file", "package", "package, labels read")
Call = Callable[[], object]


def model() -> bytes:
    """Return the demo's network with random weights; its cost does not depend on them."""
    rng = np.random.default_rng(1)
    shapes = list(itertools.pairwise(LAYERS))
    weights = [
        numpy_helper.from_array((rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32), f"w{layer}")
        for layer, shape in enumerate(shapes)
    ]
    nodes = []
    for layer in range(len(shapes)):
        is_last = layer == len(shapes) - 1
        nodes.append(helper.make_node("MatMul", [f"x{layer}" if layer else "x", f"w{layer}"], [f"h{layer}"]))
        nodes.append(
            helper.make_node("Softmax", [f"h{layer}"], ["p"], axis=-1)
            if is_last
            else helper.make_node("Relu", [f"h{layer}"], [f"x{layer + 1}"])
        )
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", LAYERS[0]])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", LAYERS[-1]])]
    graph = helper.make_graph(nodes, "demo", inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def open_session(file: Path) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["p"], {"x": ROW})


def write_demo_package(directory: Path, content: bytes, expected: np.ndarray) -> Path:
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
    write_package(directory, manifest, files)
    return directory


def calls(folder: Path) -> dict[str, Call]:
    file = folder / "demo.onnx"
    file.write_bytes(model())
    raw = open_session(file)
    bare = Model.load(file, threads=1)
    expected = np.asarray(bare.predict(ROW).outputs["p"])
    package = Model.load(write_demo_package(folder / "demo", file.read_bytes(), expected), threads=1)
    ways: tuple[Call, ...] = (
        raw,
        lambda: bare.predict(ROW),
        lambda: package.predict(ROW),
        lambda: package.predict(ROW).labels,
    )
    return dict(zip(KINDS, ways, strict=True))


def measure(ways: dict[str, Call], turns: int) -> dict[str, float]:
    """Return the median time of each way, in microseconds; the ways take turns."""
    times_ns: dict[str, list[int]] = {kind: [] for kind in ways}
    for _ in range(turns):
        for kind, call in ways.items():
            began = time.perf_counter_ns()
            call()
            times_ns[kind].append(time.perf_counter_ns() - began)
    return {kind: statistics.median(values) / 1e3 for kind, values in times_ns.items()}


def spread(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def summarise(rounds: list[dict[str, float]]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        kind: {
            "p50_us": spread([figures[kind] for figures in rounds]),
            "overhead_us": spread([figures[kind] - figures["session.run"] for figures in rounds]),
            "ratio": spread([figures[kind] / figures["session.run"] for figures in rounds]),
        }
        for kind in KINDS
    }


def show(summary: dict[str, dict[str, dict[str, float]]]) -> None:
    columns = ("p50_us", "overhead_us", "ratio")
    print(f"{'':22}" + "".join(f"{column:>26}" for column in columns))
    for kind, figures in summary.items():
        cells = [f"{value['median']:.2f} ({value['low']:.2f}-{value['high']:.2f})" for value in figures.values()]
        print(f"{kind:22}" + "".join(f"{cell:>26}" for cell in cells))
    print("median of the rounds (quartiles); overhead and ratio against `session.run` of the same round")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--turns", type=int, default=1000, help="calls of each kind in a round")
    options = parser.parse_args()
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as folder:
        ways = calls(Path(folder))
        measure(ways, 200)
        rounds = [measure(ways, options.turns) for _ in range(options.rounds)]
    summary = summarise(rounds)
    show(summary)
    RESULTS.mkdir(exist_ok=True)
    report = {
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
        },
        "load": os.getloadavg(),
        "promise_us": PROMISE_US,
        "summary": summary,
        "rounds": rounds,
    }
    (RESULTS / "in_process.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(summary["bare file"]["overhead_us"]["median"] > PROMISE_US)


if __name__ == "__main__":
    sys.exit(main())
