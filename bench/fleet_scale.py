"""What people wait for when a hub has 100,000 nodes: lists, selections, groups and rollouts, over HTTPS.

A real hub process with a database that `_big_fleet` wrote, a rollout running, and one caller. Each question is asked
some dozens of times; the first answer of each is thrown away. The limit of the pages is the hub's own. Questions take
turns, so that a slow moment of the machine hits all. Prints a line per question and writes
bench/results/fleet_scale.json; the target is a p99 of 200 ms.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

import _big_fleet
from ganglion.testing.processes import HubProcess, free_port
from ganglion.wire import paths

RESULTS = Path(__file__).parent / "results"
TARGET_MS = 200.0


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and how long its answers took."""

    name: str
    path: str
    answer_bytes: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "hub"
        began_s = time.perf_counter()
        rollout_id = _big_fleet.make(data, chosen.nodes)
        print(f"{chosen.nodes} nodes written and a rollout started in {time.perf_counter() - began_s:.0f} s")
        with HubProcess(data, port=free_port()) as hub:
            measured = measure(hub, data, rollout_id, chosen.nodes, chosen.rounds)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "nodes": chosen.nodes,
        "rounds": chosen.rounds,
        "target_p99_ms": TARGET_MS,
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "commit": commit(),
        "questions": [asdict(each) for each in measured],
    }
    (RESULTS / "fleet_scale.json").write_text(json.dumps(document, indent=2) + "\n")
    sys.exit(any(each.p99_ms > TARGET_MS for each in measured))


def measure(hub: HubProcess, data: Path, rollout_id: str, nodes: int, rounds: int) -> list[Question]:
    pool = urllib3.PoolManager(
        ca_certs=str(data / "tls" / "ca.pem"), headers={"Authorization": f"Bearer {hub.first_token()}"}
    )
    prepare(pool, hub.url)
    asked = questions(rollout_id, nodes)
    times_ms: dict[str, list[float]] = {name: [] for name in asked}
    sizes: dict[str, int] = {}
    for turn in range(rounds + 1):
        for name, path in asked.items():
            began_s = time.perf_counter()
            reply = pool.request("GET", hub.url + path)
            took_ms = (time.perf_counter() - began_s) * 1000
            assert reply.status == 200, (path, reply.data[:300])
            sizes[name] = len(reply.data)
            if turn:
                times_ms[name].append(took_ms)
    found = [result(name, asked[name], sizes[name], times_ms[name]) for name in asked]
    for each in found:
        print(f"{each.name:40} p50 {each.p50_ms:7.1f}  p99 {each.p99_ms:7.1f} ms  {each.answer_bytes:>9} bytes")
    return found


def prepare(pool: urllib3.PoolManager, url: str) -> None:
    for name, definition in (("line-3", {"select": "line=3"}), ("canary", {"select": "canary"})):
        reply = pool.request("POST", f"{url}{paths.GROUPS}/{name}", json=definition)
        assert reply.status == 200, reply.data


def questions(rollout_id: str, nodes: int) -> dict[str, str]:
    middle = f"n{nodes // 2:06}"
    return {
        "first page of nodes": f"{paths.NODES}?limit=100",
        "page in the middle": f"{paths.NODES}?limit=100&after={middle}",
        "page of a label that 1 in 40 has": f"{paths.NODES}?limit=100&select=line=3",
        "page of a label that 1 in 997 has": f"{paths.NODES}?limit=100&select=canary",
        "page of a label that nobody has": f"{paths.NODES}?limit=100&select=line=none",
        "page of a site": f"{paths.NODES}?limit=100&select=site=s77",
        "page of a class and no label": f"{paths.NODES}?limit=100&select=class=aarch64-4,!canary",
        "page of active nodes": f"{paths.NODES}?limit=100&state=active",
        "one node": f"{paths.NODES}/{middle}",
        "group of 1 in 997": f"{paths.GROUPS}/canary",
        "sites": paths.SITES,
        "rollout status": f"{paths.ROLLOUTS}/{rollout_id}",
        "rollouts": paths.ROLLOUTS,
        "figures": paths.FIGURES,
    }


def result(name: str, path: str, size: int, times_ms: list[float]) -> Question:
    ordered = sorted(times_ms)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Question(name, path, size, statistics.median(ordered), p99, ordered[-1])


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
