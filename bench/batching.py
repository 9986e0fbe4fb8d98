"""What dynamic batching brings and costs: two serving processes, with it and without, asked in turns in the same run.

Both run on core 0, the client on core 1; while one is asked the other one sleeps. Only ratios inside one round count.
Needs h2load. Prints a table and writes bench/results/batching.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from _load import Block, Load, binary_request, serving
from _models import BenchModel, mobile_net, tiny, wide, write_node

RESULTS = Path(__file__).parent / "results"
VARIABLE = "GANGLION_NODE_SERVING_BATCHING"
RULES: dict[str, dict[str, object]] = {
    "alone": {},
    "gathered": {"max_size": 32},
    "delay 2 ms": {"max_size": 32, "max_delay_us": 2000},
}
CONNECTIONS = (1, 8, 32)


@contextmanager
def environment(rules: dict[str, object]) -> Iterator[None]:
    os.environ[VARIABLE] = json.dumps({"*": rules} if rules else {})
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def start(stack: ExitStack, models: list[BenchModel]) -> dict[str, Load]:
    loads = {}
    for name, rules in RULES.items():
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_node(data, models)
        with environment(rules):
            loads[name] = Load(stack.enter_context(serving(data)), data)
    return loads


def measure(loads: dict[str, Load], model: BenchModel, count: int, rounds: int) -> list[dict[str, Block]]:
    request, figures = binary_request(model), []
    for number in range(rounds):
        work = [(connections, name) for connections in CONNECTIONS for name in loads]
        ordered = list(reversed(work)) if number % 2 else work
        blocks = {
            f"c={connections} {name}": loads[name].measure(request, count, connections=connections)
            for connections, name in ordered
        }
        figures.append(blocks)
    return figures


def ratio(figures: list[dict[str, Block]], connections: int, name: str, field: str) -> float:
    """Return the median ratio to `alone` in the same round."""
    return statistics.median(
        float(getattr(blocks[f"c={connections} {name}"], field) / getattr(blocks[f"c={connections} alone"], field))
        for blocks in figures
    )


def show(title: str, figures: list[dict[str, Block]]) -> None:
    print(f"\n{title:26}{'rate':>10}{'p50':>10}{'p99':>10}{'CPU':>10}{'requests/s':>14}{'p50 us':>10}")
    for connections in CONNECTIONS:
        for name in RULES:
            ratios = [ratio(figures, connections, name, field) for field in ("per_s", "p50_us", "p99_us", "cpu_us")]
            own = [blocks[f"c={connections} {name}"] for blocks in figures]
            cells = "".join(f"{value:>9.2f}x" for value in ratios)
            per_s = statistics.median(block.per_s for block in own)
            p50_us = statistics.median(block.p50_us for block in own)
            print(f"{f'c={connections} {name}':26}{cells}{per_s:>14.0f}{p50_us:>10.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--requests", type=int, default=4000, help="per block, of the tiny model; 0 leaves it out")
    parser.add_argument("--vectors", type=int, default=320, help="per block, of the wide model; 0 leaves it out")
    parser.add_argument("--pictures", type=int, default=160, help="per block, of the CNN; 0 leaves it out")
    options = parser.parse_args()
    counts = [(tiny(), options.requests), (wide(), options.vectors), (mobile_net(), options.pictures)]
    wanted = [(model, count) for model, count in counts if count]
    with ExitStack() as stack:
        loads = start(stack, [model for model, _ in wanted])
        tables = {model.name: measure(loads, model, count, options.rounds) for model, count in wanted}
    for name, figures in tables.items():
        show(name, figures)
    print("medians of the rounds; ratios are against `alone` of the same round")
    RESULTS.mkdir(exist_ok=True)
    report = {
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "rules": RULES,
        "rounds": {
            name: [{kind: asdict(block) for kind, block in blocks.items()} for blocks in figures]
            for name, figures in tables.items()
        },
    }
    (RESULTS / "batching.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
