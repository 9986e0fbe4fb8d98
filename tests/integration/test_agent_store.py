import contextlib
import itertools
import sqlite3
from pathlib import Path

import msgspec
import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DataCorrupt, DataTooNew, DiskUnusable
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.wire.records import RecordClass, SampleRecord, SummaryRecord


def open_store(path: Path, *, cap_bytes: int = 1_000_000) -> SqliteAgentStore:
    epochs = iter(["first", "second", "third"])
    return SqliteAgentStore(
        path / "outbox.db", limits=OutboxLimits(total_bytes_max=cap_bytes), new_epoch=lambda: next(epochs)
    )


def records(count: int, *, record_class: RecordClass = RecordClass.RESULT, size: int = 10) -> list[NewRecord]:
    return [NewRecord(record_class, at_ns=index, payload=bytes([index % 256]) * size) for index in range(count)]


def test_a_new_store_has_an_epoch_and_nothing_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    figures = store.figures()

    assert (store.state(), figures.epoch, figures.made, figures.waiting) == (None, "first", 0, 0)


def test_state_and_events_survive_a_restart_together(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.save(b"state", records(2, record_class=RecordClass.EVENT))
    store.close()

    again = open_store(tmp_path)

    assert again.state() == b"state"
    assert [envelope.seq for envelope in again.pending(records_max=10, bytes_max=1000)] == [1, 2]
    assert again.figures().epoch == "first"


def test_the_journal_position_is_stored_with_its_records(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(3), JournalPosition(2, 300))
    store.close()

    again = open_store(tmp_path)

    assert again.journal_position() == JournalPosition(2, 300)
    assert again.figures().made == 3


def test_acknowledged_records_are_forgotten_and_numbers_go_on(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(5), JournalPosition(1, 1))

    store.acknowledge(3)
    store.take_journal(records(1), JournalPosition(1, 2))

    assert [envelope.seq for envelope in store.pending(records_max=10, bytes_max=1000)] == [4, 5, 6]


def test_numbers_are_never_used_twice_even_when_everything_was_acknowledged(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(5), JournalPosition(1, 1))
    store.acknowledge(5)
    store.close()

    again = open_store(tmp_path)
    again.take_journal(records(1), JournalPosition(1, 2))

    assert [envelope.seq for envelope in again.pending(records_max=10, bytes_max=1000)] == [6]


def test_a_batch_stays_within_its_bytes_but_a_large_record_goes_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal([*records(1, size=5000), *records(3, size=10)], JournalPosition(1, 1))

    first = store.pending(records_max=10, bytes_max=100)
    store.acknowledge(1)

    assert [envelope.seq for envelope in first] == [1]
    assert [envelope.seq for envelope in store.pending(records_max=10, bytes_max=25)] == [2, 3]


def test_a_full_outbox_sheds_the_lowest_class_and_counts_it(tmp_path: Path) -> None:
    store = open_store(tmp_path, cap_bytes=10_000)
    store.take_journal(records(40, record_class=RecordClass.SAMPLE, size=100), JournalPosition(1, 1))
    store.save(b"", records(20, record_class=RecordClass.EVENT, size=100))

    store.take_journal(records(40, record_class=RecordClass.RESULT, size=100), JournalPosition(1, 2))

    figures = store.figures()
    assert figures.waiting_bytes <= 10_000
    assert set(figures.shed) == {"sample"}
    assert figures.waiting + sum(figures.shed.values()) == figures.made == 100


def test_results_of_a_long_outage_are_thinned_out_and_not_cut_off(tmp_path: Path) -> None:
    store = open_store(tmp_path, cap_bytes=14_000)

    for part in range(10):
        store.take_journal(records(40, size=100), JournalPosition(1, part + 1))

    kept = [envelope.seq for envelope in store.pending(records_max=1000, bytes_max=1_000_000)]
    distances = {after - before for before, after in itertools.pairwise(kept)}
    assert len(kept) == 100
    assert kept[0] <= 8
    assert kept[-1] >= 392
    assert max(distances) <= 8


def test_the_most_doubtful_samples_stay(tmp_path: Path) -> None:
    store = open_store(tmp_path, cap_bytes=2000)
    doubts = [0.1, 0.9, 0.5, 0.2, 0.95, 0.3] * 5

    store.take_journal([sample(confidence) for confidence in doubts], JournalPosition(1, 1))

    kept = store.pending(records_max=100, bytes_max=100_000)
    confidences = [msgspec.msgpack.decode(envelope.payload, type=SampleRecord).confidence for envelope in kept]
    assert sorted(confidences) == sorted(doubts)[: len(confidences)]
    assert 5 < len(confidences) < 30


def test_a_class_keeps_to_its_own_limit(tmp_path: Path) -> None:
    limits = OutboxLimits(total_bytes_max=1_000_000, class_bytes_max={"sample": 1000})
    store = SqliteAgentStore(tmp_path / "outbox.db", limits=limits, new_epoch=lambda: "first")

    store.take_journal(records(50, record_class=RecordClass.SAMPLE, size=100), JournalPosition(1, 1))
    store.take_journal(records(50, size=100), JournalPosition(1, 2))

    figures = store.figures()
    assert figures.shed == {"sample": 43}
    assert figures.waiting == 57


def test_an_outbox_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(3), JournalPosition(1, 1))
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox.db")) as old:
        old.executescript(
            "drop index record_worth; alter table record drop column worth; drop table made; "
            "create index record_class on record (class, seq); pragma user_version = 1;"
        )

    again = open_store(tmp_path)
    again.take_journal(records(1), JournalPosition(1, 2))

    assert [envelope.seq for envelope in again.pending(records_max=10, bytes_max=1000)] == [1, 2, 3, 4]


def test_summaries_merge_before_any_is_given_up(tmp_path: Path) -> None:
    store = open_store(tmp_path, cap_bytes=3000)

    for minute in range(200):
        store.take_journal([summary(minute)], JournalPosition(1, minute + 1))

    waiting = store.pending(records_max=1000, bytes_max=1_000_000)
    kept = [msgspec.msgpack.decode(envelope.payload, type=SummaryRecord) for envelope in waiting]
    figures = store.figures()
    assert sum(record.behaviour.requests for record in kept) == 2000
    assert figures.shed.keys() == {"summary_merged"}
    assert figures.waiting + figures.shed["summary_merged"] == figures.made == 200
    assert figures.waiting_bytes <= 3000


def test_what_was_handed_out_for_sending_is_never_shed(tmp_path: Path) -> None:
    store = open_store(tmp_path, cap_bytes=3000)
    store.take_journal(records(10, record_class=RecordClass.SAMPLE, size=100), JournalPosition(1, 1))
    sent = [envelope.seq for envelope in store.pending(records_max=5, bytes_max=10_000)]

    store.take_journal(records(30, record_class=RecordClass.SAMPLE, size=100), JournalPosition(1, 2))

    kept = [envelope.seq for envelope in store.pending(records_max=100, bytes_max=100_000)]
    assert kept[:5] == sent == [1, 2, 3, 4, 5]
    assert len(kept) + sum(store.figures().shed.values()) == 40


def test_a_new_epoch_keeps_what_waits_and_numbers_it_from_one(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(5), JournalPosition(1, 1))
    store.acknowledge(2)

    store.renew_epoch()

    figures = store.figures()
    assert (figures.epoch, figures.made, figures.waiting) == ("second", 3, 3)
    assert [envelope.seq for envelope in store.pending(records_max=10, bytes_max=1000)] == [1, 2, 3]


def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "outbox.db"
    file.write_bytes(b"this is not a database, it only has the name of one" * 20)

    with pytest.raises(DataCorrupt):
        open_store(tmp_path)

    assert file.read_bytes().startswith(b"this is not")


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store._file.connection.execute("pragma user_version = 99")
    store.close()

    with pytest.raises(DataTooNew):
        open_store(tmp_path)


def test_damage_inside_the_file_is_found_when_it_is_opened(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(200, size=1000), JournalPosition(1, 1))
    store.close()
    file = tmp_path / "outbox.db"
    data = bytearray(file.read_bytes())
    data[40_000:90_000] = b"\xa5" * 50_000
    file.write_bytes(data)

    with pytest.raises(DataCorrupt, match=r"outbox\.db"):
        open_store(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("journal", b"{]"), ("made", "many"), ("epoch", b"\x00")])
def test_a_damaged_count_is_found_when_the_file_is_opened(tmp_path: Path, key: str, value: str | bytes) -> None:
    store = open_store(tmp_path)
    store._file.set_meta(key, value)
    store.close()

    with pytest.raises(DataCorrupt):
        open_store(tmp_path)


def test_opening_a_store_again_writes_nothing_because_the_disk_may_be_full(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    before = (tmp_path / "outbox.db").read_bytes()

    open_store(tmp_path).close()

    assert (tmp_path / "outbox.db").read_bytes() == before


def test_a_disk_that_refuses_leaves_records_and_counts_as_they_were(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(3), JournalPosition(1, 1))
    before = store.figures()
    store._file.connection.execute("pragma max_page_count = 1")

    with pytest.raises(DiskUnusable, match="full"):
        store.take_journal(records(100, size=10_000), JournalPosition(1, 2))

    assert store.figures() == before
    assert store.journal_position() == JournalPosition(1, 1)


def test_acknowledged_bytes_are_counted_out_of_the_outbox(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_journal(records(5, size=100), JournalPosition(1, 1))
    whole = store.figures().waiting_bytes

    store.acknowledge(2)
    left = store.figures().waiting_bytes
    store.close()

    assert left == whole * 3 // 5 == open_store(tmp_path).figures().waiting_bytes


def sample(confidence: float) -> NewRecord:
    content = SampleRecord("m", "1", "r", "low_confidence", "cat", confidence, {})
    return NewRecord(RecordClass.SAMPLE, 0, msgspec.msgpack.encode(content))


def summary(minute: int) -> NewRecord:
    behaviour = Behaviour()
    behaviour.count_answers([300] * 10, ["cat"] * 10, [0.9] * 10)
    content = SummaryRecord("m", "1", minute, minute + 1, behaviour)
    return NewRecord(RecordClass.SUMMARY, minute, msgspec.msgpack.encode(content))
