"""What it costs to recognise nodes: one check beside bare cryptography and joserfc, and a fleet that renews at once.

Checks run in this process, in turns, on one core; the access token's check reads the hub's real database. The fleet is
1,000 nodes, each of which proves its identity once within a minute (challenge and assertion, on a fresh TLS
connection), at a real hub process; then all of them as fast as they can, as after a restart of the hub.
Prints the figures and writes bench/results/tokens.json.
"""

import argparse
import asyncio
import hashlib
import json
import os
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from ganglion.adapters.hub_store import ControlDatabase, open_control, open_telemetry
from ganglion.adapters.node_keys import RawKey
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.hub.services.identity.alarms import Alarms
from ganglion.hub.services.identity.enrolment import Enrolment
from ganglion.hub.services.identity.standings import Standings
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.hub.services.people.credentials import ACCESS, keep
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.testing.tied import tied
from ganglion.trust import assertion, bearer
from ganglion.wire import codec, paths
from ganglion.wire.identity import AccessRequest, Challenge

RESULTS = Path(__file__).parent / "results"
NODES, MINUTE_S = 1000, 60.0
TURNS, TURN_S = 7, 0.4
AT_ONCE = 64
KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Renewals:
    """A fleet that proves itself."""

    nodes: int
    took_s: float
    p50_ms: float
    p99_ms: float
    hub_cpu_ms_each: float
    hub_core_share: float


def node_row(number: int) -> NodeRow:
    return NodeRow(
        node_id=f"{number:032x}",
        name=f"n{number}",
        site=f"s{number % 50}",
        zone="default",
        public_key=RawKey(KEY).public_key,
        node_class="x86_64-4",
        facts=b"{}",
        enrolled_at_s=utc_s(SystemClock()),
    )


def put_nodes(tx: ControlTransaction) -> None:
    for number in range(NODES):
        tx.put_node(node_row(number))


# --- one check ------------------------------------------------------------------------------------


def open_enrolment(data: Path) -> tuple[Enrolment, ControlDatabase]:
    control, telemetry = open_control(data / "control.db"), open_telemetry(data / "telemetry.db")
    clock = SystemClock()
    alarms = Alarms(telemetry=telemetry, clock=clock)
    standings = Standings(control=control, clock=clock, alarms=alarms, changed=lambda _: None)
    enrolment = Enrolment(
        control=control, clock=clock, chance=SystemChance(), ca_pin="ab" * 32, tuf_root=bytes, standings=standings
    )
    return enrolment, control


def checks(data: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, by its name."""
    enrolment, control = open_enrolment(data)
    token = bearer.compose("node", SystemChance().token_bytes(bearer.SECRET_BYTES))
    now_s = utc_s(SystemClock())
    with control.write() as tx:
        put_nodes(tx)
        keep(tx, ACCESS, token, subject=f"{7:032x}", expires_at_s=now_s + 3600)
    known = {bearer.hash_secret(token): "n7"}
    payload = assertion.compose(node_id=f"{7:032x}", audience="ab" * 32, nonce="n", issued_at_s=now_s)
    signature, public = assertion.sign(KEY, payload), assertion.public_key_of(KEY)
    expected = assertion.Expectation(audience="ab" * 32, now_s=now_s, age_s_max=1e9)
    bare = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    signed = Ed25519PrivateKey.from_private_bytes(KEY).sign(payload)
    key = OKPKey.generate_key("Ed25519")
    claims = {"sub": f"{7:032x}", "aud": "ab" * 32, "jti": "n", "iat": int(now_s)}
    web_token = jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])
    return {
        "access token, hub's database": lambda: enrolment.authenticate(token),
        "access token, hash and dictionary alone": lambda: known[hashlib.sha256(token.encode()).hexdigest()],
        "assertion": lambda: assertion.verify(public, payload, signature, expected),
        "bare Ed25519": lambda: bare.verify(signed, payload),
        "joserfc, Ed25519": lambda: jwt.decode(web_token, key, algorithms=["Ed25519"]),
    }


def per_second(check: Callable[[], object]) -> float:
    count, began_s = 0, time.perf_counter()
    while (took_s := time.perf_counter() - began_s) < TURN_S:
        for _ in range(50):
            check()
        count += 50
    return count / took_s


def measure_checks() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        measured = checks(Path(directory))
        rates: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(TURNS):
            for name, check in measured.items():
                rates[name].append(per_second(check))
    return {name: round(statistics.median(each)) for name, each in rates.items()}


# --- a fleet --------------------------------------------------------------------------------------


def start_hub(data: Path) -> tuple[subprocess.Popen[bytes], str]:
    control = open_control(data / "control.db")
    with control.write() as tx:
        incarnation_of(tx, SystemChance())
        put_nodes(tx)
    control.close()
    command = tied("hub", "run", "--data", str(data), "--port", "0")
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    place = data / "run" / "hub.json"
    while not place.exists() or b"ganglion login" not in (data / "log").read_bytes():
        assert process.poll() is None, (data / "log").read_text()
        time.sleep(0.05)
    return process, json.loads(place.read_text())["url"]


class Fleet:
    """Nodes that prove themselves, each on a connection of its own."""

    def __init__(self, url: str, data: Path) -> None:
        self._port = int(url.rpartition(":")[2])
        self._context = ssl.create_default_context(cafile=data / "tls" / "ca.pem")
        self._pin = json.loads((data / "run" / "hub.json").read_text())["ca_pin"]
        self._places = asyncio.Semaphore(AT_ONCE)

    async def renew(self, number: int) -> float:
        """Prove one node's identity, and return how long it took from the connection on."""
        async with self._places:
            began_s = time.perf_counter()
            line = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context)
            challenge = codec.decode_json(await self._post(*line, paths.CHALLENGE, b"{}"), Challenge)
            payload = assertion.compose(
                node_id=f"{number:032x}",
                audience=self._pin,
                nonce=challenge.nonce,
                issued_at_s=challenge.issued_at_s,
            )
            body = codec.encode_json(AccessRequest(payload, assertion.sign(KEY, payload)))
            await self._post(*line, paths.ACCESS, body)
            took_s = time.perf_counter() - began_s
            line[1].close()
            return took_s

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        assert lines[0].split()[1] == b"200", lines[0]
        length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        return await reader.readexactly(length)


async def renew_all(fleet: Fleet, nodes: int, *, within_s: float) -> list[float]:
    async def due(number: int) -> float:
        await asyncio.sleep(within_s * number / nodes)
        return await fleet.renew(number)

    return await asyncio.gather(*map(due, range(nodes)))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_fleet(url: str, data: Path, pid: int, *, nodes: int, within_s: float) -> Renewals:
    before_s, began_s = cpu_s(pid), time.perf_counter()
    times = sorted(asyncio.run(renew_all(Fleet(url, data), nodes, within_s=within_s)))
    took_s, spent_s = time.perf_counter() - began_s, cpu_s(pid) - before_s
    return Renewals(
        nodes=nodes,
        took_s=round(took_s, 2),
        p50_ms=round(1e3 * statistics.median(times), 2),
        p99_ms=round(1e3 * times[int(0.99 * (nodes - 1))], 2),
        hub_cpu_ms_each=round(1e3 * spent_s / nodes, 2),
        hub_core_share=round(spent_s / took_s, 3),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--within-s", type=float, default=MINUTE_S)
    within_s = parser.parse_args().within_s
    rates = measure_checks()
    for name, rate in rates.items():
        print(f"{rate:>12,.0f} /s  {name}")
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        process, url = start_hub(data)
        try:
            minute = measure_fleet(url, data, process.pid, nodes=NODES, within_s=within_s)
            burst = measure_fleet(url, data, process.pid, nodes=NODES, within_s=0)
        finally:
            process.terminate()
            process.wait()
    print(f"within {within_s:g} s: {minute}")
    print(f"at once, {AT_ONCE} connections: {burst}")
    fields = Renewals.__slots__
    document = {
        "checks_per_s": rates,
        "minute": {name: getattr(minute, name) for name in fields},
        "at_once": {name: getattr(burst, name) for name in fields},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "tokens.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
