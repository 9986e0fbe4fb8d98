"""What serving costs beside a busy agent: a real node whose agent drains the journal into an outbox that is full.

The hub is gone, so every record that serving writes is taken over, and others are shed for it. Blocks of requests
alternate between an agent that runs and one that is stopped; what piled up meanwhile is drained in the next block, so
the agent never rests. Serving has core 0, the client core 1, and the agent goes where the kernel puts it. Only ratios
between neighbouring blocks are compared.

Prints medians and writes bench/results/serving_beside_agent.json. Promised are a 99th percentile within 1.5 times that
beside a stopped agent, and CPU time within 1.05 times. Where the agent takes time from the client, fewer arrive
at a time, and each of several connections costs more for that reason alone: the CPU time of one connection counts.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from _load import SERVER_CORE, Block, Load, Server, binary_request
from _models import tiny, write_node
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.waiting import wait_until
from ganglion.wire.resources import TokenRequest

RESULTS = Path(__file__).parent / "results"
P99_MAX, CPU_MAX = 1.5, 1.05
CONNECTIONS = (1, 8)
SETTINGS = "[node.agent]\noutbox_bytes_max = 2000000\ndisk_free_bytes_min = 0\n"
START_S = 30.0
FIGURES: dict[str, Callable[[Block], float]] = {
    "p50": attrgetter("p50_us"),
    "p99": attrgetter("p99_us"),
    "cpu": attrgetter("cpu_us"),
}


@dataclass(frozen=True, slots=True)
class State:
    """What was measured while the agent was stopped, or was not."""

    blocks: dict[int, Block]
    """By the number of connections."""
    agent_cores: float
    """How much of a core the agent took."""


Round: TypeAlias = tuple[State, State]
"""Beside a stopped agent, and beside a busy one."""


@contextlib.contextmanager
def node(folder: Path) -> Iterator[NodeProcess]:
    """Run a node that has a model and has lost its hub."""
    data, settings = folder / "node", folder / "node.toml"
    settings.write_text(SETTINGS)
    with HubProcess(folder / "hub", port=free_port()) as hub:
        with HubClient(hub.url, ca_pem=fetch_ca(hub.url, hub.ca_pin), token=hub.first_token()) as api:
            token = api.create_node_token(TokenRequest(name="busy")).token
        join(hub.url, token, data)
    write_node(data, [tiny()])
    with NodeProcess(data, port=free_port(), config=settings) as running:
        address = data / "run" / "serving.json"
        wait_until(address.exists, what="the serving process", timeout_s=START_S)
        yield running


def pinned(running: NodeProcess) -> Server:
    """Give serving its core, all threads of it."""
    pid = running.child("serving")
    for task in (Path("/proc") / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(task.name), {SERVER_CORE})
    return Server(pid, running.port, running.data / "serving.sock", 0.0)


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, with that of threads that have ended."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(load: Load, requests: int, agent: int, *, is_busy: bool) -> State:
    os.kill(agent, signal.SIGCONT if is_busy else signal.SIGSTOP)
    spent_s, began_s = cpu_s(agent), time.perf_counter()
    request = binary_request(tiny())
    blocks = {each: load.measure(request, requests, connections=each) for each in CONNECTIONS}
    return State(blocks, (cpu_s(agent) - spent_s) / (time.perf_counter() - began_s))


def ratio(rounds: list[Round], connections: int, figure: Callable[[Block], float]) -> dict[str, float]:
    values = [figure(busy.blocks[connections]) / figure(idle.blocks[connections]) for idle, busy in rounds]
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def run(rounds: int, requests: int) -> list[Round]:
    measured: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, node(Path(folder)) as running:
        load, agent = Load(pinned(running), Path(folder)), running.child("agent")
        for number in range(rounds + 1):
            order = (True, False) if number % 2 else (False, True)
            states = {is_busy: measure(load, requests, agent, is_busy=is_busy) for is_busy in order}
            measured.append((states[False], states[True]))
        os.kill(agent, signal.SIGCONT)
    return measured[1:]  # The first round warms everything up.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=8000, help="per block and number of connections")
    options = parser.parse_args()
    rounds = run(options.rounds, options.requests)
    summary = {
        f"c={connections}": {name: ratio(rounds, connections, figure) for name, figure in FIGURES.items()}
        for connections in CONNECTIONS
    }
    print("busy / stopped agent, median of the rounds (quartiles)")
    for kind, figures in summary.items():
        cells = [
            f"{name} {each['median']:.2f} ({each['low']:.2f}-{each['high']:.2f})" for name, each in figures.items()
        ]
        print(f"{kind:5}", "   ".join(cells))
    cores = statistics.median(busy.agent_cores for _, busy in rounds)
    print(f"the busy agent took {cores:.2f} cores")
    RESULTS.mkdir(exist_ok=True)
    report = {"load": os.getloadavg(), "agent_cores": cores, "ratios": summary}
    (RESULTS / "serving_beside_agent.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    is_quick = all(each["p99"]["median"] <= P99_MAX for each in summary.values())
    return 0 if is_quick and summary["c=1"]["cpu"]["median"] <= CPU_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
