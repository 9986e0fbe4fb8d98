"""What every telemetry store does when it shall forget: the oldest first, a bounded number at a time."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contract.store_rows import event, record, sample
from ganglion.adapters.hub_store import open_telemetry
from ganglion.core.behaviour import Behaviour
from ganglion.ports.telemetry_store import RollupKey, TelemetryStore
from ganglion.testing.memory_store import MemoryTelemetryStore

FIRST_HOUR = range(60)


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TelemetryStore]:
    opened = open_telemetry(tmp_path / "telemetry.db") if request.param == "sqlite" else MemoryTelemetryStore()
    with closing(opened):
        yield opened


def add_records(store: TelemetryStore, *received_at_ns: int) -> None:
    with store.write() as tx:
        tx.add_records([replace(record(seq), received_at_ns=at_ns) for seq, at_ns in enumerate(received_at_ns, 1)])


def seqs(store: TelemetryStore) -> list[int]:
    with store.read() as tx:
        return [row.seq for row in tx.records(node_id="n1", record_class=2, after=("", 0), limit=99)]


def count_minutes(store: TelemetryStore, *minutes: int) -> None:
    with store.write() as tx:
        for minute in minutes:
            tx.merge_rollup(RollupKey("n1", "digits", "1", minute), Behaviour(requests=1))


def requests(store: TelemetryStore, since: int = 0, until: int | None = None) -> int:
    with store.read() as tx:
        found = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=since, until_minute=until)
    return found.get("n1", Behaviour()).requests


def test_records_go_in_the_order_in_which_they_came_and_not_before_their_time(store: TelemetryStore) -> None:
    add_records(store, 10, 20, 30)

    with store.write() as tx:
        assert tx.remove_records(received_before_ns=30, limit=1) == 1
        assert tx.remove_records(received_before_ns=30, limit=9) == 1
        assert tx.remove_records(received_before_ns=30, limit=9) == 0

    assert seqs(store) == [3]


def test_records_go_whatever_their_age_when_no_time_is_given(store: TelemetryStore) -> None:
    add_records(store, 10, 20, 30)

    with store.write() as tx:
        assert tx.remove_records(received_before_ns=None, limit=2) == 2

    assert seqs(store) == [3]


def test_audit_records_go_by_themselves_and_neither_kind_waits_for_the_other(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_records(
            [
                replace(record(seq), record_class=seq % 2 * 2, received_at_ns=seq * 10)
                for seq in range(1, 7)  # odd ones are results
            ]
        )

    with store.write() as tx:
        assert tx.remove_records(received_before_ns=40, limit=9) == 2
        assert tx.remove_audit_records(received_before_ns=50, limit=1) == 1
        assert tx.remove_audit_records(received_before_ns=50, limit=9) == 1

    with store.read() as tx:
        audit = [row.seq for row in tx.records(node_id="n1", record_class=0, after=("", 0), limit=9)]
        again = tx.record("n1", "e1", 6)
    assert (seqs(store), audit) == ([5], [6])
    assert again is not None
    assert again.record_class == 0


def test_a_number_that_is_gone_is_not_taken_for_a_stored_one(store: TelemetryStore) -> None:
    add_records(store, 10)
    with store.write() as tx:
        tx.remove_records(received_before_ns=None, limit=9)

    with store.read() as tx:
        assert tx.record("n1", "e1", 1) is None


def test_old_events_go_by_corrected_time(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_events([event(1, at_ns=30), event(2, at_ns=10), event(3, at_ns=20)])

    with store.write() as tx:
        assert tx.remove_events(before_ns=30, limit=1) == 1
        assert [row.seq for row in tx.events()] == [1, 3]
        assert tx.remove_events(before_ns=30, limit=9) == 1

    with store.read() as tx:
        assert [row.seq for row in tx.events()] == [1]


def test_old_samples_are_named_oldest_first_in_pages_and_go_by_name(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_samples([sample("c", at_ns=2), sample("a", at_ns=1), sample("b", at_ns=1), sample("d", at_ns=3)])

    with store.write() as tx:
        first = tx.oldest_samples(before_ns=3, limit=2)
        rest = tx.oldest_samples(before_ns=3, after=first[-1], limit=2)
        removed = tx.remove_samples(["a", "c", "unknown"])

    assert (list(first), list(rest), removed) == ([(1, "a"), (1, "b")], [(2, "c")], 2)
    with store.read() as tx:
        assert [row.sample_id for row in tx.samples()] == ["d", "b"]


def test_minutes_that_are_folded_count_in_their_hour(store: TelemetryStore) -> None:
    count_minutes(store, 0, 59, 60, 180)

    with store.write() as tx:
        assert tx.fold_rollups(before_minute=120, limit=2) == 2
        assert tx.fold_rollups(before_minute=120, limit=2) == 1
        assert tx.fold_rollups(before_minute=120, limit=2) == 0
    count_minutes(store, 5)
    with store.write() as tx:
        assert tx.fold_rollups(before_minute=120, limit=2) == 1

    assert requests(store) == 5
    assert requests(store, until=60) == 3
    assert requests(store, since=60) == 2
    assert requests(store, since=1) == 2, "an hour that lies partly before is not counted"


def test_old_hours_go(store: TelemetryStore) -> None:
    count_minutes(store, 0, 60, 120)
    with store.write() as tx:
        tx.fold_rollups(before_minute=180, limit=9)

    with store.write() as tx:
        assert tx.remove_rollup_hours(before_hour=2, limit=1) == 1
        assert tx.remove_rollup_hours(before_hour=2, limit=9) == 1
        assert tx.remove_rollup_hours(before_hour=2, limit=9) == 0

    assert requests(store) == 1


def test_what_is_kept_takes_bytes_and_less_when_it_goes(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_records([replace(record(seq), payload=bytes(4096)) for seq in range(1, 101)])
    with store.read() as tx:
        before = tx.used_bytes()

    with store.write() as tx:
        tx.remove_records(received_before_ns=None, limit=100)

    with store.read() as tx:
        assert before >= 100 * 4096
        assert tx.used_bytes() < before / 4


def test_a_page_of_samples_ends_before_its_bytes_are_too_many_but_has_one(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_samples([replace(sample(name, at_ns=index), inputs=bytes(100)) for index, name in enumerate("abc")])

    with store.read() as tx:
        assert [row.sample_id for row in tx.samples(bytes_max=200)] == ["c", "b"]
        assert [row.sample_id for row in tx.samples(bytes_max=1)] == ["c"]
