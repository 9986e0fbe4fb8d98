"""Records per second that the hub stores, beside bare sqlite3 writing the same bytes, and beside a plain web server.

The web server is FastAPI on uvicorn: it takes the same batches over HTTP on this machine and inserts them, with no
cursor, no counts and no check. All three sync every commit. `Ingest` also decodes and counts each record, deduplicates
by cursor and keeps rollups; the ratio to sqlite3 says what that costs. Rounds alternate, so that a slow moment of the
disk hits all. Prints one line per batch size and writes bench/results/ingest.json.
"""

import argparse
import json
import platform
import socket
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3
import uvicorn
from fastapi import FastAPI, Request

from ganglion.adapters.hub_store import open_telemetry
from ganglion.adapters.system import SystemClock
from ganglion.hub.services.records.ingest import Ingest
from ganglion.wire import codec
from ganglion.wire.records import Batch, Envelope, RecordClass, ResultRecord

RESULTS = Path(__file__).parent / "results"
NODE, EPOCH = "0" * 32, "1" * 32
RECORD_BYTES = 1024
BATCH_SIZES = (100, 1000)
START_NS = 1_790_000_000_000_000_000
RECORD_GAP_NS = 10_000_000
"""A node that answers 100 requests per second."""
TABLE = """
create table record (
    node_id text, epoch text, seq integer, record_class integer, at_ns integer, received_at_ns integer, payload blob,
    primary key (node_id, epoch, seq)
)
"""

Store = Callable[[Batch], object]


@dataclass(frozen=True, slots=True)
class Rates:
    """Records per second, one figure per round; each ratio is of two runs of one round."""

    batch_records: int
    ingest_per_s: list[float]
    replay_per_s: list[float]
    sqlite3_per_s: list[float]
    plain_server_per_s: list[float]
    beside_sqlite3: "Ratio"
    beside_plain_server: "Ratio"
    replay_beside_ingest: "Ratio"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as many records ingest takes, over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Ratio":
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        return cls(round(statistics.median(ratios), 3), round(min(ratios), 3), round(max(ratios), 3))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def make_batches(count: int, batch_records: int) -> list[Batch]:
    records = [make_record(seq) for seq in range(1, count + 1)]
    return [
        Batch(id=str(start), sent_at_ns=START_NS, epoch=EPOCH, records=tuple(records[start : start + batch_records]))
        for start in range(0, count, batch_records)
    ]


def make_record(seq: int) -> Envelope:
    payload = make_payload(seq, "")
    # A text of this length has one more byte of msgpack header than a short one.
    payload = make_payload(seq, "x" * (RECORD_BYTES - len(payload) - 1))
    assert len(payload) == RECORD_BYTES
    return Envelope(seq, RecordClass.RESULT, START_NS + seq * RECORD_GAP_NS, payload)


def make_payload(seq: int, padding: str) -> bytes:
    request_id = f"request-{seq:024d}{padding}"
    confidence = 0.5 + seq % 50 / 100
    return codec.encode_packed(ResultRecord(request_id, "meter", "1", 200 + seq % 50, (str(seq % 10),), (confidence,)))


def bare_sqlite(path: Path) -> tuple[Store, Callable[[], None]]:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute(TABLE)

    def store(batch: Batch) -> None:
        now_ns = time.time_ns()
        rows = [(NODE, EPOCH, r.seq, r.record_class, r.at_ns, now_ns, r.payload) for r in batch.records]
        database.execute("begin immediate")
        database.executemany("insert into record values (?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("commit")

    return store, database.close


def rate(store: Store, batches: Sequence[Batch]) -> float:
    started = time.perf_counter()
    for batch in batches:
        store(batch)
    return sum(len(batch.records) for batch in batches) / (time.perf_counter() - started)


@contextmanager
def plain_server(path: Path) -> Iterator[Store]:
    """Run a server that inserts what is posted; the store posts a batch and waits for the answer."""
    insert, close = bare_sqlite(path)
    app = FastAPI()

    @app.post("/batches")
    async def batches(request: Request) -> dict[str, int]:
        batch = codec.decode_packed(await request.body(), Batch)
        insert(batch)
        return {"stored": len(batch.records)}

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    pool = urllib3.HTTPConnectionPool("127.0.0.1", listener.getsockname()[1])

    def store(batch: Batch) -> None:
        reply = pool.request("POST", "/batches", body=codec.encode_packed(batch))
        assert reply.status == 200, reply.data

    try:
        yield store
    finally:
        server.should_exit = True
        thread.join()
        pool.close()
        close()


def one_round(batches: Sequence[Batch]) -> tuple[float, float, float, float]:
    """Return the rates of ingest, of the same batches again, of bare sqlite3 and of the web server, on new files."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry = open_telemetry(Path(directory, "telemetry.db"))
        ingest = Ingest(telemetry=telemetry, clock=SystemClock())
        stored = rate(lambda batch: ingest.store(NODE, batch), batches)
        replayed = rate(lambda batch: ingest.store(NODE, batch), batches)
        telemetry.close()
        store, close = bare_sqlite(Path(directory, "bare.db"))
        bare = rate(store, batches)
        close()
        with plain_server(Path(directory, "plain.db")) as post:
            plain = rate(post, batches)
    return stored, replayed, bare, plain


def compare(batch_records: int, *, records: int, rounds: int) -> Rates:
    batches = make_batches(records, batch_records)
    one_round(batches[: max(1, len(batches) // 10)])  # warms caches and code
    stored, replayed, bare, plain = zip(*(one_round(batches) for _ in range(rounds)), strict=True)
    return Rates(
        batch_records=batch_records,
        ingest_per_s=[round(figure) for figure in stored],
        replay_per_s=[round(figure) for figure in replayed],
        sqlite3_per_s=[round(figure) for figure in bare],
        plain_server_per_s=[round(figure) for figure in plain],
        beside_sqlite3=Ratio.of(stored, bare),
        beside_plain_server=Ratio.of(stored, plain),
        replay_beside_ingest=Ratio.of(replayed, stored),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="records per run")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    results = []
    for batch_records in BATCH_SIZES:
        rates = compare(batch_records, records=options.records, rounds=options.rounds)
        results.append(rates)
        print(
            f"batches of {batch_records:>4}: ingest {statistics.median(rates.ingest_per_s):>7,.0f}/s, "
            f"replay {statistics.median(rates.replay_per_s):>9,.0f}/s, "
            f"sqlite3 {statistics.median(rates.sqlite3_per_s):>7,.0f}/s, "
            f"FastAPI {statistics.median(rates.plain_server_per_s):>7,.0f}/s, "
            f"beside sqlite3 {rates.beside_sqlite3}, beside FastAPI {rates.beside_plain_server}, "
            f"replay beside ingest {rates.replay_beside_ingest}"
        )
    RESULTS.mkdir(exist_ok=True)
    document = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "record_bytes": RECORD_BYTES,
        "records": options.records,
        "results": [asdict(rates) for rates in results],
    }
    (RESULTS / "ingest.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
