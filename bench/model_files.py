"""What the gate costs for honest and for crowded model files, and what the sandbox adds to an update.

The gate runs in this process, on files in memory. A trial in the sandbox alternates with the same work in this
process (hashes, load, golden inputs twice), so that a slow moment hits both. Prints the figures and writes
bench/results/model_files.json.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ganglion.entrypoints.models.local_packages import open_package
from integration.sandbox_world import a_sandbox, package_of
from unit.trust.onnx_models import a_model, check, tensor

RESULTS = Path(__file__).parent / "results"
ROUNDS = 7
MEGABYTES = 100


def heavy() -> ModelProto:
    """Return a model with 100 MB of weights, one of which is used."""
    weights = [tensor(np.zeros(MEGABYTES * 10_000, np.float32), f"w{number}") for number in range(25)]
    nodes = [
        helper.make_node("ReduceSum", ["w0"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return a_model(*nodes, initializers=weights)


def typed() -> ModelProto:
    """Return a model with nearly 100 MB of numbers of varying length, each of which has to be looked at."""
    numbers = np.random.default_rng(0).integers(0, 1 << 40, 2_000_000)
    return a_model(initializers=[helper.make_tensor(f"w{number}", 7, [len(numbers)], numbers) for number in range(8)])


def crowded() -> ModelProto:
    """Return a model of 100,000 operators."""
    names = ["x", *(f"layer/{number}/output" for number in range(99_999)), "y"]
    pairs = itertools.pairwise(names)
    return a_model(*[helper.make_node("Transpose", [a], [b], name=b, perm=[0, 1]) for a, b in pairs])


def milliseconds(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) * 1e3


def gate_figures() -> dict[str, list[float]]:
    models = {"100 MB of weights": heavy(), "95 MB as varints": typed(), "100,000 operators": crowded()}
    files = {name: model.SerializeToString() for name, model in models.items()}
    return {
        f"gate, {name}": [milliseconds(partial(check, data)) for _ in range(ROUNDS)] for name, data in files.items()
    }


def sandbox_figures(name: str, model: ModelProto) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {f"sandbox, {name}": [], f"in process, {name}": []}
    with tempfile.TemporaryDirectory() as scratch:
        directory, sandbox = package_of(Path(scratch, "p"), model), a_sandbox()
        for _ in range(ROUNDS):
            figures[f"sandbox, {name}"].append(milliseconds(partial(sandbox.try_out, directory)))
            figures[f"in process, {name}"].append(milliseconds(partial(in_process, directory)))
    return figures


def in_process(directory: Path) -> None:
    with open_package(directory) as package:
        package.prove()


def main() -> None:
    figures = gate_figures() | sandbox_figures("2 kB", a_model()) | sandbox_figures("100 MB", heavy())
    for name, times_ms in figures.items():
        print(f"{name:28} median {statistics.median(times_ms):8.1f} ms, {min(times_ms):.1f} to {max(times_ms):.1f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "model_files.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
