"""500 nodes that come back at once, each with an hour of records that waited: how long until the hub has all of it.

A real hub process with a fresh data directory; its nodes are written into the database beforehand. Each node opens a
TLS connection, proves its key, asks for its desired state, and sends its backlog batch by batch, as the real one does:
it keeps to the delay of a 429 and sends again what was not acknowledged. Afterwards the hub must have stored each
record once.
Prints the figures and writes bench/results/reconnect.json.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ganglion.adapters.hub_store import open_control
from ganglion.trust import assertion
from ganglion.wire import codec, paths
from ganglion.wire.identity import AccessReply, AccessRequest, Challenge
from ganglion.wire.records import Batch, Envelope, RecordClass, ResultRecord
from long_polls import RESULTS, Address, Line, make_nodes, memory_mb, start_hub

KEY = bytes(range(32))
"""All nodes of this bench have one key: the hub knows a node by its id."""
GAP_NS = 1_000_000_000


@dataclass(slots=True)
class Crowd:
    """What the nodes met."""

    statuses: Counter[int] = field(default_factory=Counter)
    batch_ms: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drained:
    """One run."""

    nodes: int
    records_each: int
    drain_s: float
    records_per_s: int
    batch_ms_p50: float
    batch_ms_p99: float
    told_to_wait: int
    server_errors: int
    stored: int
    memory_mb: float


def make_batches(count: int, batch_records: int) -> list[bytes]:
    """Return the bodies of one node's backlog, which every node sends."""
    began_ns = time.time_ns() - count * GAP_NS
    records = [
        Envelope(
            seq,
            RecordClass.RESULT,
            began_ns + seq * GAP_NS,
            codec.encode_packed(ResultRecord(f"r-{seq:012d}", "meter", "1", 900 + seq % 90, (str(seq % 10),), (0.9,))),
        )
        for seq in range(1, count + 1)
    ]
    return [
        codec.compress(
            codec.encode_packed(
                Batch(
                    id=str(start),
                    sent_at_ns=time.time_ns(),
                    epoch="e1",
                    records=tuple(records[start : start + batch_records]),
                    made=count,
                )
            )
        )
        for start in range(0, count, batch_records)
    ]


class Node:
    """One node that comes back."""

    def __init__(self, address: Address, node_id: str, audience: str, crowd: Crowd) -> None:
        self.address, self.node_id, self.audience, self.crowd = address, node_id, audience, crowd
        self.token = ""

    async def come_back(self, batches: list[bytes], started: float) -> None:
        line = await Line.open(self.address)
        await self.prove(line)
        await self.ask(line, "GET", f"{paths.DESIRED}?wait_s=0")
        for body in batches:
            line = await self.deliver(line, body)
        self.crowd.done_s.append(time.perf_counter() - started)
        line.writer.transport.abort()

    async def prove(self, line: Line) -> None:
        challenge = codec.decode_json(await self.ask(line, "POST", paths.CHALLENGE), Challenge)
        payload = assertion.compose(
            node_id=self.node_id,
            audience=self.audience,
            nonce=challenge.nonce,
            issued_at_s=challenge.issued_at_s,
        )
        request = AccessRequest(assertion=payload, signature=assertion.sign(KEY, payload))
        reply = await self.ask(line, "POST", paths.ACCESS, codec.encode_json(request))
        self.token = codec.decode_json(reply, AccessReply).access_token

    async def deliver(self, line: Line, body: bytes) -> Line:
        while True:
            started = time.perf_counter()
            line.ask("POST", paths.BATCHES, self.token, body)
            status, _, delay_s = await line.whole_answer()
            self.crowd.statuses[status] += 1
            self.crowd.batch_ms.append((time.perf_counter() - started) * 1000)
            if status == 200:
                return line
            assert status in {429, 503}, status
            line.writer.transport.abort()
            await asyncio.sleep(delay_s)
            line = await Line.open(self.address)

    async def ask(self, line: Line, method: str, path: str, body: bytes = b"") -> bytes:
        line.ask(method, path, self.token, body)
        status, reply = await line.answer()
        self.crowd.statuses[status] += 1
        assert status == 200, (status, reply)
        return reply


async def all_come_back(address: Address, count: int, audience: str, batches: list[bytes]) -> tuple[Crowd, float]:
    crowd, started = Crowd(), time.perf_counter()
    nodes = (Node(address, f"{number:032x}", audience, crowd) for number in range(count))
    await asyncio.gather(*(node.come_back(batches, started) for node in nodes))
    return crowd, time.perf_counter() - started


async def stored_in(address: Address) -> int:
    line = await Line.open(address)
    line.ask("GET", "/metrics", address.account)
    _, body = await line.answer()
    figures = dict(text.rsplit(" ", 1) for text in body.decode().splitlines() if not text.startswith("#"))
    return int(float(figures["ganglion_records_stored_total"]))


def measure(process: subprocess.Popen[bytes], address: Address, data: Path, options: argparse.Namespace) -> Drained:
    audience = json.loads((data / "run" / "hub.json").read_text())["ca_pin"]
    batches = make_batches(options.records, options.batch_records)
    crowd, took_s = asyncio.run(all_come_back(address, options.nodes, audience, batches))
    stored = asyncio.run(stored_in(address))
    assert stored == options.nodes * options.records, f"{stored} records are stored"
    return Drained(
        nodes=options.nodes,
        records_each=options.records,
        drain_s=round(took_s, 1),
        records_per_s=round(stored / took_s),
        batch_ms_p50=round(statistics.median(crowd.batch_ms), 1),
        batch_ms_p99=round(statistics.quantiles(crowd.batch_ms, n=100)[98], 1),
        told_to_wait=crowd.statuses[429],
        server_errors=sum(count for status, count in crowd.statuses.items() if status >= 500),
        stored=stored,
        memory_mb=round(memory_mb(process), 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--records", type=int, default=3600, help="records that wait at each node")
    parser.add_argument("--batch-records", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "hub")
        make_nodes(data, options.nodes)
        control = open_control(data / "control.db")
        with control.write() as tx:
            for row in tx.nodes():
                tx.put_node(replace(row, public_key=assertion.public_key_of(KEY)))
        control.close()
        process, address = start_hub(data)
        try:
            result = measure(process, address, data, options)
        finally:
            process.terminate()
            process.wait(30)
    print(f"{result.nodes} nodes with {result.records_each} records each: {result.drain_s} s, {result.records_per_s}/s")
    print(f"a batch: p50 {result.batch_ms_p50} ms, p99 {result.batch_ms_p99} ms; {result.told_to_wait} times 429")
    print(f"server errors: {result.server_errors}; stored once: {result.stored}; hub {result.memory_mb} MB")
    RESULTS.mkdir(exist_ok=True)
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "result": asdict(result),
    }
    (RESULTS / "reconnect.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
