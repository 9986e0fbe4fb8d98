"""What a change of version costs the requests meanwhile, and what it leaves in memory.

A serving process answers h2load; between blocks without changes there are blocks in which versions are loaded, switched
and unloaded as the agent of a node does it, again and again, far more often than any node would. Every request must
succeed. Ratios are of blocks in the same round. Then versions change 100 times more, and the memory is compared.

Prints a table and writes bench/results/hot_swap.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import anyio

from _load import Block, Load, Server, binary_request, serving
from _models import BenchModel, tiny, wide, write_node, write_version
from ganglion.adapters.control_socket import ControlClient, socket_path
from ganglion.ports.serving_control import Done, Switch, Unload
from ganglion.ports.serving_control import Load as LoadVersion

RESULTS = Path(__file__).parent / "results"
CONNECTIONS = 4
TIMEOUT_S = 60
SETTLED_AFTER = 10
"""Changes after which the memory is what a process that changes versions needs."""


@dataclass
class Swapper:
    """Changes the version that answers, as often as it is told to."""

    data: Path
    model: BenchModel
    active: str = "1"
    took_s: list[float] = field(default_factory=list)

    def swap(self) -> None:
        """Load the other version beside the active one, switch, and unload the one before."""
        began_s = time.perf_counter()
        other = "2" if self.active == "1" else "1"
        path = str(self.data / "packages" / self.model.name / other)
        commands = (
            LoadVersion(self.model.name, other, path),
            Switch(self.model.name, other),
            Unload(self.model.name, self.active),
        )
        for command in commands:
            reply = anyio.run(partial(ControlClient(socket_path(self.data)).call, command, timeout_s=TIMEOUT_S))
            assert isinstance(reply, Done), reply
        self.active = other
        self.took_s.append(time.perf_counter() - began_s)

    @contextmanager
    def at_work(self, pause_s: float) -> Iterator[None]:
        """Change versions in the background, with pauses."""
        is_over = threading.Event()

        def work() -> None:
            while not is_over.wait(pause_s):
                self.swap()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def measure(load: Load, swapper: Swapper, count: int, rounds: int, pause_s: float) -> list[dict[str, Block]]:
    """Return blocks with and without changes; a request that fails ends the measurement."""
    request, figures = binary_request(swapper.model), []
    for number in range(rounds):
        blocks: dict[str, Block] = {}
        for kind in ("steady", "swapping") if number % 2 else ("swapping", "steady"):
            if kind == "steady":
                blocks[kind] = load.measure(request, count, connections=CONNECTIONS)
            else:
                with swapper.at_work(pause_s):
                    blocks[kind] = load.measure(request, count, connections=CONNECTIONS)
        figures.append(blocks)
    return figures


def grow(server: Server, swapper: Swapper, cycles: int) -> tuple[int, int]:
    """Return the memory after the first changes, and after `cycles` more."""
    for _ in range(SETTLED_AFTER):
        swapper.swap()
    before = server.proportional_set_bytes()
    for _ in range(cycles):
        swapper.swap()
    return before, server.proportional_set_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=10_000, help="per block")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two changes")
    parser.add_argument("--wide", action="store_true", help="change the versions of a model of 80 MB instead")
    options = parser.parse_args()
    model = wide() if options.wide else tiny()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_node(data, [model])
        write_version(data, model, "2")
        with serving(data, cores=",".join(map(str, sorted(os.sched_getaffinity(0))))) as server:
            swapper = Swapper(data, model)
            figures = measure(Load(server, data), swapper, options.requests, options.rounds, options.pause)
            during, swap_ms = len(swapper.took_s), statistics.median(swapper.took_s) * 1e3
            before_bytes, after_bytes = grow(server, swapper, options.cycles)
    print(f"{'':10}{'p50 us':>10}{'p99 us':>10}{'requests/s':>12}")
    for kind in ("steady", "swapping"):
        cells = [
            statistics.median(getattr(each[kind], name) for each in figures) for name in ("p50_us", "p99_us", "per_s")
        ]
        print(f"{kind:10}" + "".join(f"{cell:>10.0f}" for cell in cells))
    ratios = [each["swapping"].p99_us / each["steady"].p99_us for each in figures]
    growth = after_bytes / before_bytes - 1
    print(f"{during} changes under load, {swap_ms:.0f} ms each, 0 failed requests")
    print(f"p99 while versions change: {statistics.median(ratios):.2f}x (from {min(ratios):.2f} to {max(ratios):.2f})")
    print(
        f"memory after {options.cycles} more changes: {before_bytes / 1e6:.1f} to {after_bytes / 1e6:.1f} MB,"
        f" {growth:+.1%}"
    )
    RESULTS.mkdir(exist_ok=True)
    report = {
        "model": model.name,
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "changes": during,
        "swap_ms": round(swap_ms, 1),
        "p99_ratio": [round(ratio, 3) for ratio in ratios],
        "memory_bytes": [before_bytes, after_bytes],
        "rounds": [{kind: asdict(block) for kind, block in each.items()} for each in figures],
    }
    (RESULTS / "hot_swap.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
