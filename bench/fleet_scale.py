"""What people wait for when a hub has 100,000 nodes: lists, selections, groups, rollouts and pages, over HTTPS.

A real hub process with a database that `_big_fleet` wrote, a rollout running, and one caller. Each question is asked
some dozens of times; the first answer of each is thrown away. The limit of the pages is the hub's own. Questions take
turns, so that a slow moment of the machine hits all. Beside the clock stands the processor time of the hub's process
meanwhile, in steps of 10 ms and with whatever else it did. Prints a line per question and writes
bench/results/fleet_scale.json; the target is a p99 of 200 ms for every question that is not marked as work: what is
asked for once, and reads or changes thousands of nodes.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import urllib3

import _big_fleet
from ganglion.testing.processes import HubProcess, free_port
from ganglion.wire import paths

RESULTS = Path(__file__).parent / "results"
TARGET_MS = 200.0
WORK_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and how long its answers took."""

    name: str
    path: str
    answer_bytes: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_mean_ms: float
    is_work: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """How a question is put: a body is posted, and a page comes to who is logged in."""

    path: str
    body: dict[str, object] | None = None
    is_page: bool = False
    is_work: bool = False


@dataclass(slots=True)
class Times:
    """What the answers to one question took."""

    clock_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    answer_bytes: int = 0


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
        let_report(data)
        with HubProcess(data, port=free_port()) as hub:
            measured = measure(hub, data, rollout_id, chosen.nodes, chosen.rounds)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "nodes": chosen.nodes,
        "rounds": chosen.rounds,
        "target_p99_ms": TARGET_MS,
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "commit": commit(),
        "questions": [asdict(each) for each in measured],
    }
    (RESULTS / "fleet_scale.json").write_text(json.dumps(document, indent=2) + "\n")
    sys.exit(any(each.p99_ms > TARGET_MS for each in measured if not each.is_work))


def measure(hub: HubProcess, data: Path, rollout_id: str, nodes: int, rounds: int) -> list[Question]:
    token = hub.first_token()
    pool = urllib3.PoolManager(
        ca_certs=str(data / "tls" / "ca.pem"), headers={"Authorization": f"Bearer {token}"}, retries=False
    )
    prepare(pool, hub.url, nodes)
    page = {"Accept": "text/html", "Cookie": logged_in(pool, hub.url, token)}
    asked = questions(rollout_id, nodes)
    times = {name: Times() for name in asked}
    for turn in range(rounds + 1):
        for name, each in asked.items():
            if each.is_work and turn > WORK_ROUNDS:
                continue
            before_ms, began_s = cpu_ms_of(hub.pid), time.perf_counter()
            method, headers = "GET" if each.body is None else "POST", page if each.is_page else None
            reply = pool.request(method, hub.url + each.path, json=each.body, headers=headers)
            took_ms = (time.perf_counter() - began_s) * 1000
            assert reply.status == 200, (each.path, reply.data[:300])
            times[name].answer_bytes = len(reply.data)
            if turn:
                times[name].clock_ms.append(took_ms)
                times[name].cpu_ms.append(cpu_ms_of(hub.pid) - before_ms)
    found = [result(name, asked[name], times[name]) for name in asked]
    for told in found:
        figures = f"p50 {told.p50_ms:7.1f}  p99 {told.p99_ms:7.1f} ms  processor {told.cpu_mean_ms:7.1f} ms"
        print(f"{told.name:44} {figures}  {told.answer_bytes:>9} bytes{'  (work)' if told.is_work else ''}")
    return found


def cpu_ms_of(pid: int) -> float:
    """Return the processor time of a process, of threads that have ended too."""
    fields = Path("/proc", str(pid), "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000.0 / os.sysconf("SC_CLK_TCK")


def let_report(data: Path) -> None:
    """Let all nodes but one in a hundred be in touch for as long as this takes: none of them really reports."""
    with closing(sqlite3.connect(data / "control.db")) as database:
        database.execute("UPDATE nodes SET last_seen_at_s = last_seen_at_s + 3600.0 WHERE rowid % 100 != 0")
        database.commit()


def logged_in(pool: urllib3.PoolManager, url: str, token: str) -> str:
    """Return the cookie of a session."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    reply = pool.request(
        "POST", f"{url}/login", body=urlencode({"token": token}), headers=headers | {"Sec-Fetch-Site": "same-origin"}
    )
    return reply.headers["set-cookie"].partition(";")[0]


def prepare(pool: urllib3.PoolManager, url: str, nodes: int) -> None:
    """Name groups: rare and common, by a selector and by names, and one for each line as a plant would."""
    groups: dict[str, dict[str, object]] = {
        "canary": {"select": "canary"},
        "tenth": {"select": "line=3|4|5|6"},
        "both": {"select": "canary,line=3"},
        "most": {"select": "line!=3"},
        "thousand": {"nodes": [f"n{number:06}" for number in range(0, nodes, max(nodes // 1000, 1))]},
    }
    groups |= {f"line-{line}": {"select": f"line={line}"} for line in range(_big_fleet.LINES)}
    for name, definition in groups.items():
        reply = pool.request("POST", f"{url}{paths.GROUPS}/{name}", json=definition)
        assert reply.status == 200, reply.data


def questions(rollout_id: str, nodes: int) -> dict[str, Asked]:
    """Return what is asked, by what it is called."""
    middle = f"n{nodes // 2:06}"
    of_group = f"{paths.NODES}?limit=100&group="
    told = {
        "first page of nodes": f"{paths.NODES}?limit=100",
        "page in the middle": f"{paths.NODES}?limit=100&after={middle}",
        "page of a label that 1 in 40 has": f"{paths.NODES}?limit=100&select=line=3",
        "page of a label that 1 in 997 has": f"{paths.NODES}?limit=100&select=canary",
        "page of a label that nobody has": f"{paths.NODES}?limit=100&select=line=none",
        "page of a site": f"{paths.NODES}?limit=100&select=site=s77",
        "page of a class and no label": f"{paths.NODES}?limit=100&select=class=aarch64-4,!canary",
        "page of two labels together": f"{paths.NODES}?limit=100&select=canary,line=3",
        "page of a release that nobody has": f"{paths.NODES}?limit=100&select=release=9",
        "page of two kinds that nobody is at once": f"{paths.NODES}?limit=100&select=arch=x86_64,class=aarch64-4",
        "page of active nodes": f"{paths.NODES}?limit=100&state=active",
        "page of pending nodes": f"{paths.NODES}?limit=100&state=pending",
        "page of nodes in quarantine": f"{paths.NODES}?limit=100&state=quarantined",
        "nodes of a group of 1 in 997": f"{of_group}canary",
        "nodes of a group of 1 in 10": f"{of_group}tenth",
        "nodes of a group of 1000 names": f"{of_group}thousand",
        "nodes of a group with hardly anybody": f"{of_group}both",
        "one node": f"{paths.NODES}/{middle}",
        "groups of a node": f"{paths.NODES}/{middle}/groups",
        "group of 1 in 997": f"{paths.GROUPS}/canary",
        "group of 1 in 10": f"{paths.GROUPS}/tenth",
        "group of 1000 names": f"{paths.GROUPS}/thousand",
        "group of all but 1 in 40": f"{paths.GROUPS}/most",
        "45 groups with their sizes": paths.GROUPS,
        "sites": paths.SITES,
        "zones": paths.ZONES,
        "experiments": paths.EXPERIMENTS,
        "alerts": paths.ALERTS,
        "events": paths.EVENTS,
        "audit": paths.AUDIT,
        "hub status": paths.STATUS,
        "metrics": "/metrics",
        "rollout status": f"{paths.ROLLOUTS}/{rollout_id}",
        "rollouts": paths.ROLLOUTS,
        "figures": paths.FIGURES,
    }
    pages = {"overview in a browser": "/", "a group in a browser": "/?group=canary"}
    pages["rollout in a browser"] = f"/rollouts/{rollout_id}"
    works = {"1000 nodes whole": Asked(paths.NODES, is_work=True), "export of 1000": Asked(paths.FLEET, is_work=True)}
    for name, select in (("1 in 997", "canary"), ("1 in 40", "line=3")):
        body: dict[str, object] = {"action": "retire", "select": select, "dry_run": True}
        works[f"act on {name}, told before"] = Asked(paths.NODE_ACTIONS, body, is_work=True)
    plan: dict[str, object] = {"model": _big_fleet.MODEL, "version": "2", "stages": ["100%"], "if_busy": "queue"}
    works["plan a rollout to 1 in 997"] = Asked(paths.ROLLOUT_PLAN, {**plan, "select": "canary"}, is_work=True)
    works["plan a rollout to all"] = Asked(paths.ROLLOUT_PLAN, plan, is_work=True)
    return (
        {name: Asked(path) for name, path in told.items()}
        | {name: Asked(path, is_page=True) for name, path in pages.items()}
        | works
    )


def result(name: str, asked: Asked, times: Times) -> Question:
    ordered = sorted(times.clock_ms)
    return Question(
        name=name,
        path=asked.path,
        answer_bytes=times.answer_bytes,
        p50_ms=statistics.median(ordered),
        p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        max_ms=ordered[-1],
        cpu_mean_ms=statistics.mean(times.cpu_ms),
        is_work=asked.is_work,
    )


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
