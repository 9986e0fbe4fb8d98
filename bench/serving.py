"""What serving adds to a model: requests over HTTP beside bare `session.run`, in the same run.

The server is the real serving process, with validation, records, statistics and limits, on core 0; `session.run`
takes its turns on the same core; the client has core 1. Blocks alternate, so that a slow moment hits both, and only
ratios inside one round are compared. CPU time is the kernel's account of all threads of the server.

Prints tables and writes bench/results/serving.json. On a machine that has other work, trust the CPU time first, then
the median at one connection, and the 99th percentile last.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from _load import SERVER_CORE, Block, Load, binary_request, json_request, serving
from _models import BenchModel, mobile_net, open_session, tiny, write_node

RESULTS = Path(__file__).parent / "results"
CONNECTIONS = (1, 8, 32)
Work = dict[str, Callable[[], Block]]
Rounds = list[dict[str, Block]]


def measure_raw(run: Callable[[], object], count: int) -> Block:
    os.sched_setaffinity(0, {SERVER_CORE})
    times_ns = []
    for _ in range(max(1, count // 10)):
        run()
    cpu_before, began_s = time.thread_time_ns(), time.perf_counter()
    for _ in range(count):
        began = time.perf_counter_ns()
        run()
        times_ns.append(time.perf_counter_ns() - began)
    spent_ns, took_s = time.thread_time_ns() - cpu_before, time.perf_counter() - began_s
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return Block(
        p50_us=statistics.median(times_ns) / 1e3,
        p99_us=float(np.quantile(times_ns, 0.99)) / 1e3,
        cpu_us=spent_ns / count / 1e3,
        per_s=count / took_s,
    )


def raw_run(model: BenchModel) -> Callable[[], object]:
    session = open_session(model.content)
    return lambda: session.run([model.output.name], {model.input.name: model.row})


def tiny_work(load: Load, model: BenchModel, count: int) -> Work:
    work: Work = {"raw": partial(measure_raw, raw_run(model), count)}
    for kind, request in (("binary", binary_request(model)), ("json", json_request(model))):
        for connections in CONNECTIONS:
            work[f"{kind} c={connections}"] = partial(load.measure, request, count, connections=connections)
    for connections in (CONNECTIONS[0], CONNECTIONS[-1]):
        work[f"unix socket c={connections}"] = partial(
            load.measure, binary_request(model), count, connections=connections, uds=True
        )
    return work


def cnn_work(load: Load, model: BenchModel, count: int) -> Work:
    request = binary_request(model)
    return {
        "raw": partial(measure_raw, raw_run(model), count),
        "binary c=1": partial(load.measure, request, count, connections=1),
        "binary c=8": partial(load.measure, request, count, connections=8),
    }


def measure(work: Work, rounds: int) -> Rounds:
    figures = []
    for number in range(rounds):
        order = list(reversed(work)) if number % 2 else list(work)
        blocks = {name: work[name]() for name in order}
        figures.append({name: blocks[name] for name in work})
    return figures


def spread(values: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(middle, 2), "low": round(low, 2), "high": round(high, 2)}


def summarise(rounds: Rounds) -> list[dict[str, object]]:
    return [
        {
            "kind": name,
            "cpu_us": spread([figures[name].cpu_us for figures in rounds]),
            "cpu_ratio": spread([figures[name].cpu_us / figures["raw"].cpu_us for figures in rounds]),
            "p50_us": spread([figures[name].p50_us for figures in rounds]),
            "p50_ratio": spread([figures[name].p50_us / figures["raw"].p50_us for figures in rounds]),
            "p99_to_p50": spread([figures[name].p99_us / figures[name].p50_us for figures in rounds]),
            "rate_ratio": spread([figures[name].per_s / figures["raw"].per_s for figures in rounds]),
        }
        for name in rounds[0]
    ]


def show(title: str, rows: list[dict[str, object]]) -> None:
    columns = [column for column in rows[0] if column != "kind"]
    print(f"\n{title:18}" + "".join(f"{column:>26}" for column in columns))
    for row in rows:
        figures = [row[column] for column in columns]
        cells = [f"{f['median']} ({f['low']}-{f['high']})" for f in figures if isinstance(f, dict)]
        print(f"{row['kind']!s:18}" + "".join(f"{cell:>26}" for cell in cells))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=4000, help="per block, of the tiny model")
    parser.add_argument("--pictures", type=int, default=160, help="per block, of the CNN; 0 leaves it out")
    options = parser.parse_args()
    small, large = tiny(), mobile_net()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_node(data, [small, large] if options.pictures else [small])
        with serving(data) as server:
            load = Load(server, data)
            tables = {"tiny": measure(tiny_work(load, small, options.requests), options.rounds)}
            if options.pictures:
                tables["cnn"] = measure(cnn_work(load, large, options.pictures), options.rounds)
            memory_bytes = server.proportional_set_bytes()
    summary = {name: summarise(rounds) for name, rounds in tables.items()}
    for name, rows in summary.items():
        show(name, rows)
    print("median of the rounds (quartiles); ratios against raw `session.run` of the same round")
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
        "summary": summary,
        "rounds": {
            table: [{name: asdict(block) for name, block in figures.items()} for figures in rounds]
            for table, rounds in tables.items()
        },
    }
    (RESULTS / "serving.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
