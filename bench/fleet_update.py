"""500 nodes take an update of 5 MB from a hub whose line carries 100 Mbit/s: how much longer than the line needs.

A real hub process, and light nodes (`_light_nodes.py`): everything that brings and verifies a package is what ships,
serving is left out. Between them is a relay that lets through so many bytes a second of all connections together. All
nodes hold a small first version, and wait; the clock runs from the order of the rollout. Compared with what the line
needs for the packages alone, and with a plain file server that sends as many bytes through the same relay.
Prints the figures and writes bench/results/fleet_update.json.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import msgspec

from _light_nodes import JOINED, Crowd
from _models import of_size, write_version
from _one_node import AT_ONCE, GATE
from ganglion.adapters.package_files import pack
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.hub_client.pinned_tls import fetch_ca
from ganglion.testing.processes import HubProcess, free_port
from ganglion.testing.relay import Quality, ThreadedRelay
from ganglion.wire.resources import TokenRequest
from ganglion.wire.rollout_resources import RolloutRequest

RESULTS = Path(__file__).parent / "results"
RATIO_MAX = 1.2
QUEUE_S = 0.1
"""What waits before the line: the buffer of an ordinary router."""
JOIN_S, WARM_S, LOOK_S = 600.0, 600.0, 0.5
SMALL_BYTES = 20_000
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One run."""

    nodes: int
    package_bytes: int
    line_bytes_per_s: float
    ideal_s: float
    """The packages alone over the line."""
    plain_s: float
    """The same from a plain file server through the same relay; 0: not measured."""
    first_whole_s: float
    """When the first node had its package whole and verified."""
    last_whole_s: float
    last_told_s: float
    """When the hub had heard of all of them that they committed it."""
    ratio: float
    hub_cpu_s: float
    hub_cpu_share: float
    hub_memory_before_mb: float
    hub_memory_mb: float
    """The most that was seen."""
    nodes_cpu_s: float
    relay_cpu_s: float
    down_bytes: int
    up_bytes: int
    requests: dict[str, int]
    body_bytes: dict[str, int]
    unanswered: dict[str, int]
    delays: dict[str, int]


class Hub:
    """What one hub costs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.memory_mb_max = 0.0

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self._pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        now_mb = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
        self.memory_mb_max = max(self.memory_mb_max, now_mb)
        return now_mb


class Process:
    """A program of this folder that answers a line for a line."""

    def __init__(self, name: str, *arguments: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name(name)), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait()}"
        return line.strip()

    def check(self) -> None:
        """What has crashed waits for nothing."""
        ended = self.process.poll()
        assert ended is None, f"{self.process.args!r} ended with {ended}"

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.process.kill()
        self.process.wait()


def until(claim: Callable[[], bool], living: Iterable[Process], *, what: str, within_s: float) -> None:
    """Wait for a claim of the hub's, as long as all of its nodes live."""
    ends_s = time.monotonic() + within_s
    while not claim():
        for each in living:
            each.check()
        assert time.monotonic() < ends_s, f"waited in vain for {what}"
        time.sleep(LOOK_S)


def release(api: HubClient, scratch: Path, version: str, size_bytes: int) -> int:
    """Release a version of about that size, and return how large its package is."""
    file = scratch / f"fleet-{version}.ganglion"
    pack(write_version(scratch, of_size("fleet", size_bytes, seed=int(version)), version), file)
    api.release(file)
    return file.stat().st_size


def roll_out(
    api: HubClient,
    version: str,
    living: Iterable[Process],
    *,
    within_s: float,
    looking: Callable[[], object] = lambda: None,
) -> None:
    """Give all nodes a version at once; return when the hub has heard of all of them that they committed it."""
    request = RolloutRequest(model="fleet", version=version, stages=["100%"], gate=GATE, probation=AT_ONCE)
    rollout_id = api.start_rollout(request).rollout_id

    def is_over() -> bool:
        looking()
        state = next(each.state for each in api.rollouts() if each.rollout_id == rollout_id)
        assert state in {"running", "completed"}, state
        return state == "completed"

    until(is_over, living, what=f"version {version}", within_s=within_s)


@contextmanager
def crowds(url: str, tokens: list[str], nodes: Path, processes: int) -> Iterator[list[Process]]:
    """Let as many nodes as there are tokens join and live."""
    with ExitStack() as stack:
        begun = []
        for number in range(processes):
            data = nodes / f"crowd-{number}"
            crowd = stack.enter_context(Process("_light_nodes.py", "--hub", url, "--data", str(data)))
            for token in [*tokens[number::processes], ""]:
                crowd.say(token)
            begun.append(crowd)
        for crowd in begun:
            assert crowd.hear() == JOINED
        yield begun


def plain_s(quality: Quality, file: Path, nodes: int) -> float:
    """Return how long the same bytes take from a plain server to as many clients."""
    with ExitStack() as stack:
        server = stack.enter_context(Process("_plain_line.py", "serve", str(file)))
        relay = stack.enter_context(ThreadedRelay("127.0.0.1", int(server.hear())))
        relay.carry(quality)
        arguments = (str(relay.port), str(nodes), str(file.stat().st_size))
        clients = stack.enter_context(Process("_plain_line.py", "take", *arguments))
        taken_s: list[float] = json.loads(clients.hear())
        return max(taken_s)


def disks(options: argparse.Namespace) -> str | None:
    """Return where the nodes keep their data. Each of them has a disk of its own; one for all would wait for itself."""
    memory, need_bytes = Path("/dev/shm"), options.nodes * (3 * options.megabytes + 2) * 1e6
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > need_bytes else None


def measure(options: argparse.Namespace, scratch: Path, nodes: Path) -> Taken:
    quality = Quality(bytes_per_s=options.mbit * 1e6 / 8, queue_s=QUEUE_S)
    with HubProcess(scratch / "hub", port=free_port()) as running, ExitStack() as stack:
        ca_pem = fetch_ca(running.url, running.ca_pin)
        api = stack.enter_context(HubClient(running.url, ca_pem=ca_pem, token=running.first_token()))
        relay = stack.enter_context(ThreadedRelay("127.0.0.1", running.port))
        names = [f"light-{number:04}" for number in range(options.nodes)]
        tokens = [reply.token for reply in api.create_node_tokens([TokenRequest(name=name) for name in names])]
        url = f"https://127.0.0.1:{relay.port}"
        living = stack.enter_context(crowds(url, tokens, nodes, options.processes))
        hub = Hub(running.pid)
        until(lambda: api.hub_status().long_polls >= options.nodes, living, what="all to wait", within_s=JOIN_S)
        release(api, scratch, "1", SMALL_BYTES)
        roll_out(api, "1", living, within_s=WARM_S)
        size = release(api, scratch, "2", int(options.megabytes * 1e6))
        ideal_s = options.nodes * size / quality.bytes_per_s
        until(lambda: api.hub_status().long_polls >= options.nodes, living, what="all to wait", within_s=JOIN_S)
        for crowd in living:
            crowd.say("begin")
            assert crowd.hear() == "begun"
        relay.carry(quality)
        before = hub.cpu_s(), time.process_time(), relay.down_bytes, relay.up_bytes, hub.memory_mb()
        hub.memory_mb_max = 0.0
        began_s = time.monotonic()
        roll_out(api, "2", living, within_s=10 * ideal_s + 120, looking=hub.memory_mb)
        told_s = time.monotonic() - began_s
        hub_cpu_s, own_cpu_s = hub.cpu_s() - before[0], time.process_time() - before[1]
        down, up = relay.down_bytes - before[2], relay.up_bytes - before[3]
        for crowd in living:
            crowd.end()
        met = [msgspec.json.decode(crowd.hear(), type=Crowd) for crowd in living]
    whole_s = sorted(at_s - began_s for crowd in met for at_s in crowd.whole_at_s)
    assert len(whole_s) == options.nodes, f"{len(whole_s)} packages came"
    requests, body_bytes, unanswered, logged = (
        sum((Counter(getattr(crowd, name)) for crowd in met), Counter[str]())
        for name in ("requests", "body_bytes", "unanswered", "logged")
    )
    return Taken(
        nodes=options.nodes,
        package_bytes=size,
        line_bytes_per_s=quality.bytes_per_s,
        ideal_s=round(ideal_s, 2),
        plain_s=0.0 if options.no_plain else round(plain_s(quality, scratch / "fleet-2.ganglion", options.nodes), 2),
        first_whole_s=round(whole_s[0], 2),
        last_whole_s=round(whole_s[-1], 2),
        last_told_s=round(told_s, 2),
        ratio=round(whole_s[-1] / ideal_s, 3),
        hub_cpu_s=round(hub_cpu_s, 2),
        hub_cpu_share=round(hub_cpu_s / told_s, 3),
        hub_memory_before_mb=round(before[4], 1),
        hub_memory_mb=round(hub.memory_mb_max, 1),
        nodes_cpu_s=round(sum(crowd.cpu_s for crowd in met), 1),
        relay_cpu_s=round(own_cpu_s, 1),
        down_bytes=down,
        up_bytes=up,
        requests=dict(requests),
        body_bytes=dict(body_bytes),
        unanswered=dict(unanswered),
        delays={name: count for name, count in sorted(logged.items()) if ".delayed" in name or ".failed" in name},
    )


def told(taken: Taken) -> Iterator[str]:
    size, rate = taken.package_bytes / 1e6, taken.line_bytes_per_s * 8 / 1e6
    yield f"{taken.nodes} nodes, {size:.2f} MB each, over {rate:g} Mbit/s: the line alone needs {taken.ideal_s} s"
    yield f"first package whole after {taken.first_whole_s} s, last after {taken.last_whole_s} s: ratio {taken.ratio}"
    yield f"all committed and reported after {taken.last_told_s} s"
    if taken.plain_s:
        yield f"a plain file server {taken.plain_s} s: ratio to it {taken.last_whole_s / taken.plain_s:.3f}"
    yield f"hub: {taken.hub_cpu_s} s of CPU ({taken.hub_cpu_share:.0%} of a core)"
    yield f"hub: {taken.hub_memory_before_mb} MB before, {taken.hub_memory_mb} MB at most"
    yield f"nodes: {taken.nodes_cpu_s} s of CPU; relay and this program: {taken.relay_cpu_s} s"
    yield f"on the line: {taken.down_bytes:,} bytes down, {taken.up_bytes:,} up, of which"
    for kind, count in sorted(taken.requests.items()):
        yield f"  {kind:10} {count:6} requests {taken.body_bytes[kind]:14,} bytes of content"
    for name, count in taken.unanswered.items():
        yield f"  {count:6} without an answer: {name}"
    for name, count in taken.delays.items():
        yield f"  {count:6} {name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--mbit", type=float, default=100.0)
    parser.add_argument("--processes", type=int, default=2, help="that the nodes share")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain file server out")
    options = parser.parse_args()
    # Told to end, it tidies up: what the nodes keep lies in memory.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20 * options.nodes + 1000)), hard))
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=disks(options)) as nodes:
        taken = measure(options, Path(scratch), Path(nodes))
    print("\n".join(told(taken)))
    RESULTS.mkdir(exist_ok=True)
    machine = {"machine": platform.machine(), "python": platform.python_version(), "cpus": os.cpu_count()}
    document = {**machine, "result": asdict(taken), "ratio_max": RATIO_MAX}
    (RESULTS / "fleet_update.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
