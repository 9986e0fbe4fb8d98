"""A hub that is killed at any moment has everything it acknowledged, and nothing twice."""

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

from ganglion.adapters.hub_store import open_telemetry
from ganglion.hub.services.records.ingest import Ingest
from ganglion.testing.clock import FakeClock
from ganglion.wire.records import Batch, RecordClass
from unit.hub.records import batch, envelope, result

DEADLINE_S = 30.0
ROUNDS = 3
ACKS_PER_ROUND = 20
BATCH_RECORDS = 7


def batch_after(cursor: int) -> Batch:
    return batch([envelope(seq, result()) for seq in range(cursor + 1, cursor + 1 + BATCH_RECORDS)])


def store_for_ever(path: Path, cursor: int, acks: Connection) -> None:
    ingest = Ingest(telemetry=open_telemetry(path), clock=FakeClock())
    while True:
        cursor = ingest.store("n1", batch_after(cursor)).cursor
        acks.send(cursor)


def acknowledged_until_killed(path: Path, cursor: int) -> int:
    """Run a hub, kill it while it stores, and return the last cursor that it acknowledged."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    hub = multiprocessing.get_context("spawn").Process(target=store_for_ever, args=(path, cursor, theirs))
    hub.start()
    for _ in range(ACKS_PER_ROUND):
        assert ours.poll(DEADLINE_S)
        cursor = ours.recv()
    hub.kill()
    hub.join(DEADLINE_S)
    return cursor


def test_a_killed_hub_has_what_it_acknowledged_exactly_once(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    acknowledged = 0

    for _ in range(ROUNDS):
        acknowledged = acknowledged_until_killed(path, acknowledged)

        store = open_telemetry(path)
        with store.read() as tx:
            (cursor,) = tx.cursors()
            rows = tx.records(node_id="n1", record_class=RecordClass.RESULT, after=("", 0), limit=10**6)
            behaviour = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=0)["n1"]
        store.close()
        assert cursor.seq >= acknowledged
        assert [row.seq for row in rows] == list(range(1, cursor.seq + 1))
        assert (behaviour.requests, cursor.gaps) == (cursor.seq, 0)
