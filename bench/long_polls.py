"""What 5,000 nodes that wait for a change cost the hub: memory, and how soon they hear of one.

A real hub process with a fresh data directory; its nodes are written into the database beforehand, and each holds one
TLS connection with an open question. Memory is the hub's PSS. Two waits are measured: a change for one node among all
that wait (from the call to that node's answer), and a change for the whole fleet at once (until the last answer).
Prints both and writes bench/results/long_polls.json.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import ssl
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ganglion.adapters.hub_store import open_control
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.hub.services.people.credentials import ACCESS, keep
from ganglion.ports.hub_store import NodeRow
from ganglion.testing.tied import tied
from ganglion.trust import bearer
from ganglion.wire import paths

RESULTS = Path(__file__).parent / "results"
WAIT_S = 600
AT_ONCE = 64
"""Connections that are opened at the same time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One run."""

    nodes: int
    memory_before_mb: float
    memory_waiting_mb: float
    one_ms_p50: float
    one_ms_p99: float
    fleet_call_s: float
    fleet_first_s: float
    fleet_p99_s: float
    memory_after_mb: float


@dataclass(frozen=True, slots=True)
class Address:
    """Where the hub listens, and as whom people call."""

    host: str
    port: int
    context: ssl.SSLContext
    account: str


class Line:
    """One connection, one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address: Address) -> "Line":
        return cls(*await asyncio.open_connection(address.host, address.port, ssl=address.context, limit=1 << 16))

    def ask(self, method: str, path: str, token: str, body: bytes = b"") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self) -> tuple[int, bytes]:
        status, body, _ = await self.whole_answer()
        return status, body

    async def whole_answer(self) -> tuple[int, bytes, float]:
        """Return status, body, and for how many seconds the hub wants to be left alone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
        headers = {name: value.strip() for name, _, value in lines}
        body = await self.reader.readexactly(int(headers.get(b"content-length", b"0")))
        return int(head.split(b" ", 2)[1]), body, float(headers.get(b"retry-after", b"0"))


def make_nodes(data: Path, count: int) -> list[str]:
    """Write enrolled nodes, each with an access token, and return the tokens."""
    data.mkdir()
    chance, now_s = SystemChance(), SystemClock().utc_ns() / 1e9
    control = open_control(data / "control.db")
    tokens = [bearer.compose("node", chance.token_bytes(32)) for _ in range(count)]
    with control.write() as tx:
        incarnation_of(tx, chance)
        for number, token in enumerate(tokens):
            tx.put_node(
                NodeRow(
                    node_id=f"{number:032x}",
                    name=f"n{number}",
                    site=f"s{number % 50}",
                    zone="default",
                    public_key="00" * 32,
                    node_class="x86_64-4",
                    facts=b"{}",
                    enrolled_at_s=now_s,
                )
            )
            keep(tx, ACCESS, token, subject=f"{number:032x}", expires_at_s=now_s + 86_400)
    control.close()
    return tokens


def start_hub(data: Path) -> tuple[subprocess.Popen[bytes], Address]:
    command = tied("hub", "run", "--data", str(data), "--port", "0")
    with (data / "out").open("wb") as out, (data / "log").open("wb") as log:
        more = {"GANGLION_HUB_HTTP_LONG_POLL_S_MAX": str(WAIT_S)}
        process = subprocess.Popen(command, stdout=out, stderr=log, env=os.environ | more)
    place = data / "run" / "hub.json"
    while not place.exists() or b"ganglion login" not in (data / "out").read_bytes():
        assert process.poll() is None, (data / "log").read_text()
        time.sleep(0.05)
    url = json.loads(place.read_text())["url"]
    words = (data / "out").read_text().split()
    account = words[words.index("--token") + 1]
    context = ssl.create_default_context(cafile=str(data / "tls" / "ca.pem"))
    host, port = url.removeprefix("https://").split(":")
    return process, Address(host, int(port), context, account)


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the PSS of the hub in megabytes."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


async def wait_all(address: Address, tokens: list[str]) -> list[Line]:
    limit = asyncio.Semaphore(AT_ONCE)
    path = f"{paths.DESIRED}?wait_s=0"

    async def one(token: str) -> Line:
        async with limit:
            line = await Line.open(address)
            line.ask("GET", path, token)
            status, body = await line.answer()
            assert status == 200, (status, body)
            state = json.loads(body)
            known = f"incarnation={state['incarnation']}&revision={state['revision']}"
            line.ask("GET", f"{paths.DESIRED}?{known}&wait_s={WAIT_S}", token)
            return line

    return await asyncio.gather(*(one(token) for token in tokens))


async def until_waiting(person: Line, address: Address, count: int) -> None:
    waiting = 0
    while waiting < count:
        await asyncio.sleep(0.2)
        person.ask("GET", paths.STATUS, address.account)
        _, body = await person.answer()
        waiting = json.loads(body)["long_polls"]


def change(number: int) -> bytes:
    return json.dumps({"set": {"collection.bytes_per_hour": str(1000 + number)}}).encode()


async def measure(process: subprocess.Popen[bytes], address: Address, tokens: list[str], ones: int) -> Waiting:
    person = await Line.open(address)
    person.ask("GET", paths.STATUS, address.account)
    await person.answer()
    before = memory_mb(process)
    lines = await wait_all(address, tokens)
    # The hub closes a line on which nobody asks anything for some seconds.
    person = await Line.open(address)
    await until_waiting(person, address, len(tokens))
    waiting = memory_mb(process)
    alone: list[float] = []
    for number in range(ones):
        started = time.perf_counter()
        person.ask("POST", f"{paths.SETTINGS}/nodes/n{number}", address.account, change(number))
        status, _ = await lines[number].answer()
        alone.append((time.perf_counter() - started) * 1000)
        assert status == 200
        assert (await person.answer())[0] == 200
    started = time.perf_counter()
    heard: list[float] = []

    async def hear(line: Line) -> None:
        status, body = await line.answer()
        assert status == 200, body
        heard.append(time.perf_counter() - started)

    person.ask("POST", f"{paths.SETTINGS}/fleet", address.account, change(0))
    hearing = [asyncio.create_task(hear(line)) for line in lines[ones:]]
    assert (await person.answer())[0] == 200
    called = time.perf_counter() - started
    await asyncio.gather(*hearing)
    for line in lines:
        line.writer.transport.abort()
    return Waiting(
        nodes=len(tokens),
        memory_before_mb=round(before, 1),
        memory_waiting_mb=round(waiting, 1),
        one_ms_p50=round(statistics.median(alone), 2),
        one_ms_p99=round(statistics.quantiles(alone, n=100)[98], 2),
        fleet_call_s=round(called, 3),
        fleet_first_s=round(min(heard), 3),
        fleet_p99_s=round(sorted(heard)[int(len(heard) * 0.99)], 3),
        memory_after_mb=round(memory_mb(process), 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--ones", type=int, default=200, help="changes for one node at a time")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * options.nodes + 1000)), hard))
    with tempfile.TemporaryDirectory() as folder:
        tokens = make_nodes(Path(folder, "hub"), options.nodes)
        process, address = start_hub(Path(folder, "hub"))
        try:
            result = asyncio.run(measure(process, address, tokens, options.ones))
        finally:
            process.terminate()
            process.wait(30)
    print(f"{result.nodes} waiting: {result.memory_waiting_mb} MB (before {result.memory_before_mb} MB)")
    print(f"one node's change: p50 {result.one_ms_p50} ms, p99 {result.one_ms_p99} ms")
    print(
        f"the fleet's change: call {result.fleet_call_s} s, first {result.fleet_first_s} s, p99 {result.fleet_p99_s} s"
    )
    RESULTS.mkdir(exist_ok=True)
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "result": asdict(result),
    }
    (RESULTS / "long_polls.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
