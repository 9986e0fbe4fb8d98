"""Torn, read-only and rotten disks under the node's outbox and the hub's telemetry: told, and never silently emptied.

Full disks, and the journal's own troubles, stand with the tests of each store.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.hub_store import TelemetryDatabase, open_telemetry
from ganglion.core.errors import DataCorrupt, DiskUnusable
from ganglion.hub.services.records.ingest import Ingest
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.testing.clock import FakeClock
from ganglion.wire.records import RecordClass
from unit.hub.records import batch, envelope, result

RECORDS = 400
PAGE = 4096


def open_outbox(path: Path) -> SqliteAgentStore:
    return SqliteAgentStore(path, limits=OutboxLimits(), new_epoch=lambda: "e1")


def filled_outbox(path: Path) -> None:
    store = open_outbox(path)
    store.take_journal([NewRecord(RecordClass.RESULT, 1, b"x" * 500)] * RECORDS, JournalPosition(1, 1))
    store.close()


def filled_telemetry(path: Path) -> None:
    store = open_telemetry(path)
    ingest = Ingest(telemetry=store, clock=FakeClock())
    ingest.store("n1", batch([envelope(seq, result(label="x" * 500)) for seq in range(1, RECORDS + 1)]))
    store.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    filled_outbox(tmp_path / "outbox.db")
    return tmp_path / "outbox.db"


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[TelemetryDatabase]:
    filled_telemetry(tmp_path / "telemetry.db")
    store = open_telemetry(tmp_path / "telemetry.db")
    yield store
    store.close()


def rot(path: Path) -> None:
    """Spoil every page but the first, which says that it is a database."""
    content = path.read_bytes()
    path.write_bytes(content[:PAGE] + b"\xa5" * (len(content) - PAGE))


def tear(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 // PAGE * PAGE + 100])


def set_read_only(store: TelemetryDatabase, word: str) -> None:
    connection = store._database._writer.raw_connection()
    connection.cursor().execute(f"PRAGMA query_only = {word}")
    connection.close()


@pytest.mark.parametrize("spoil", [rot, tear])
def test_an_outbox_that_was_torn_or_rots_is_named_and_left_as_it_is(
    outbox: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(outbox)
    before = outbox.read_bytes()

    with pytest.raises(DataCorrupt, match=r"outbox\.db"):
        open_outbox(outbox)

    assert outbox.read_bytes() == before


def test_an_outbox_that_rots_while_it_is_open_hands_out_nothing_false(outbox: Path) -> None:
    store = open_outbox(outbox)
    store._file.connection.execute("pragma shrink_memory")
    rot(outbox)

    with pytest.raises(DataCorrupt):
        store.pending(records_max=RECORDS, bytes_max=1 << 30)

    store.close()


def test_an_outbox_on_a_disk_that_became_read_only_keeps_what_it_has_and_goes_on_later(outbox: Path) -> None:
    store = open_outbox(outbox)
    store._file.connection.execute("pragma query_only = on")

    with pytest.raises(DiskUnusable, match="readonly"):
        store.take_journal([NewRecord(RecordClass.RESULT, 1, b"new")], JournalPosition(1, 2))
    with pytest.raises(DiskUnusable):
        store.acknowledge(RECORDS)

    assert store.figures().waiting == RECORDS
    store._file.connection.execute("pragma query_only = off")
    store.take_journal([NewRecord(RecordClass.RESULT, 1, b"new")], JournalPosition(1, 2))
    assert store.figures().waiting == RECORDS + 1
    store.close()


@pytest.mark.parametrize("spoil", [rot, tear])
def test_telemetry_that_was_torn_or_rots_acknowledges_nothing_and_is_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "telemetry.db"
    filled_telemetry(path)
    spoil(path)
    before = path.read_bytes()

    with pytest.raises(DataCorrupt, match=r"telemetry\.db.*put a backup in its place"):
        Ingest(telemetry=open_telemetry(path), clock=FakeClock()).store("n1", batch([envelope(RECORDS + 1, result())]))

    assert path.read_bytes() == before


def test_telemetry_on_a_disk_that_became_read_only_acknowledges_nothing_and_goes_on_later(
    telemetry: TelemetryDatabase,
) -> None:
    ingest, new = Ingest(telemetry=telemetry, clock=FakeClock()), batch([envelope(RECORDS + 1, result())])
    set_read_only(telemetry, "ON")

    with pytest.raises(DiskUnusable, match="readonly"):
        ingest.store("n1", new)

    set_read_only(telemetry, "OFF")
    assert ingest.store("n1", new).cursor == RECORDS + 1
