import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DiskUnusable, EpochTaken, InvalidName, InvalidRequest, TooLarge
from ganglion.hub.domain.records.ingest import BatchLimits
from ganglion.hub.services.records.ingest import Ingest
from ganglion.ports.telemetry_store import CursorRow, EventRow, RecordRow, SampleRow
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire.records import Batch, Envelope, EventRecord, RecordClass, ResultRecord
from unit.hub.records import MINUTE_NS, batch, comparison, envelope, result, sample

LIMITS = BatchLimits(records_max=5, bytes_max=10_000, sample_bytes_max=1_000)


@pytest.fixture
def store() -> MemoryTelemetryStore:
    return MemoryTelemetryStore()


@pytest.fixture
def ingest(store: MemoryTelemetryStore, clock: FakeClock) -> Ingest:
    return Ingest(telemetry=store, clock=clock, limits=LIMITS)


def results(*seqs: int) -> list[Envelope]:
    return [envelope(seq, result()) for seq in seqs]


def records_in(store: MemoryTelemetryStore, record_class: RecordClass = RecordClass.RESULT) -> Sequence[RecordRow]:
    with store.read() as tx:
        return tx.records(node_id="n1", record_class=record_class, after=("", 0), limit=99)


def cursor_in(store: MemoryTelemetryStore, epoch: str = "e1") -> CursorRow:
    with store.read() as tx:
        row = tx.cursor("n1", epoch)
    assert row is not None
    return row


def behaviour_in(store: MemoryTelemetryStore, *, version: str = "1", minute: int = 1) -> Behaviour:
    with store.read() as tx:
        found = tx.behaviour(
            node_ids=["n1"], model="digits", version=version, since_minute=minute, until_minute=minute + 1
        )
    return found.get("n1", Behaviour())


def events_in(store: MemoryTelemetryStore) -> Sequence[EventRow]:
    with store.read() as tx:
        return tx.events()


def samples_in(store: MemoryTelemetryStore) -> Sequence[SampleRow]:
    with store.read() as tx:
        return tx.samples()


def test_records_are_stored_as_they_came_with_both_times(
    ingest: Ingest, store: MemoryTelemetryStore, clock: FakeClock
) -> None:
    sent = envelope(1, result(), at_ns=77)

    ack = ingest.store("n1", batch([sent]))

    assert (ack.epoch, ack.cursor) == ("e1", 1)
    assert records_in(store) == [
        RecordRow("n1", "e1", 1, RecordClass.RESULT, 77, clock.utc_ns(), sent.payload, 77),
    ]


def test_a_batch_that_comes_again_changes_nothing(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    first = ingest.store("n1", batch(results(1, 2, 3)))
    before = (records_in(store), behaviour_in(store), cursor_in(store))

    again = ingest.store("n1", batch(results(1, 2, 3)))

    assert again == first
    assert (records_in(store), behaviour_in(store), cursor_in(store)) == before


def test_of_an_overlapping_batch_only_the_new_part_is_stored(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch(results(1, 2)))

    ack = ingest.store("n1", batch(results(2, 3)))

    assert ack.cursor == 3
    assert [row.seq for row in records_in(store)] == [1, 2, 3]
    assert behaviour_in(store).requests == 3


def test_epochs_and_nodes_have_their_own_cursors(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch(results(1, 2)))
    ingest.store("n1", batch(results(1), epoch="e2"))
    ack = ingest.store("n2", batch(results(1)))

    assert ack.cursor == 1
    assert [(row.epoch, row.seq) for row in records_in(store)] == [("e1", 1), ("e1", 2), ("e2", 1)]


def test_missing_sequence_numbers_are_counted_as_gaps(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch(results(2, 3)))
    ingest.store("n1", batch(results(3, 7)))

    assert cursor_in(store) == CursorRow("n1", "e1", 7, gaps=1 + 3)


def test_what_a_node_counted_is_kept_and_never_goes_back(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch(results(1), made=9, shed={"sample": 4, "result": 1}))
    ingest.store("n1", batch(results(1), made=5, shed={"sample": 2}))
    ingest.store("n1", batch([], made=11, shed={"summary": 1}))

    row = cursor_in(store)
    assert (row.seq, row.made) == (1, 11)
    assert msgspec.json.decode(row.shed) == {"result": 1, "sample": 4, "summary": 1}


def test_an_empty_batch_is_acknowledged_at_the_beginning(ingest: Ingest) -> None:
    assert ingest.store("n1", batch([])).cursor == 0


def test_answers_and_errors_are_counted_in_their_minute(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store(
        "n1",
        batch(
            [
                envelope(1, result(latency_us=100), at_ns=MINUTE_NS),
                envelope(2, result(error="model_failed"), at_ns=2 * MINUTE_NS - 1),
                envelope(3, result(latency_us=300), at_ns=2 * MINUTE_NS),
            ]
        ),
    )

    expected = Behaviour()
    expected.count_answer(100, ["7"], [0.9])
    expected.count_error()
    assert behaviour_in(store, minute=1) == expected
    assert behaviour_in(store, minute=2).requests == 1


def test_a_comparison_counts_for_the_version_that_answered(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch([envelope(1, comparison(compared=4, agreed=3, latency_us=80, confidences=(0.9, 0.7)))]))

    expected = Behaviour()
    expected.count_comparison(4, 3, 80)
    expected.count_heard([0.9, 0.7])
    assert behaviour_in(store, version="2") == expected
    assert behaviour_in(store, version="1") == Behaviour()


def test_an_event_can_be_looked_at(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    event = EventRecord("update.rolled_back", "digits", "2", "r1", "too slow", {"p99_us": "900"})

    ingest.store("n1", batch([envelope(3, event, at_ns=5)]))

    assert events_in(store) == [
        EventRow("n1", "e1", 3, 5, "update.rolled_back", "digits", "2", "r1", "too slow", b'{"p99_us":"900"}', 5)
    ]


def test_a_sample_can_be_looked_at(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch([envelope(3, sample(), at_ns=5)]))

    (row,) = samples_in(store)
    assert (row.sample_id, row.node_id, row.at_ns, row.label) == ("n1-e1-3", "n1", 5, "7")


def test_a_confidence_that_is_no_number_is_kept_as_zero(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch([envelope(1, sample(confidence=math.nan))]))

    assert samples_in(store)[0].confidence == 0.0


def test_an_audit_record_is_kept_and_nothing_more(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    ingest.store("n1", batch([Envelope(1, RecordClass.AUDIT, 5, b"anything")]))

    assert [row.payload for row in records_in(store, RecordClass.AUDIT)] == [b"anything"]
    assert events_in(store) == []


UNDECODABLE = {
    "no msgpack": Envelope(2, RecordClass.RESULT, 5, b"\xc1"),
    "another record": Envelope(2, RecordClass.RESULT, 5, envelope(1, EventRecord("a.b")).payload),
    "a class of a later release": Envelope(2, 99, 5, b"\x90"),
    "labels without confidences": envelope(2, ResultRecord("r", "digits", "1", 1, ("7",), ())),
    "a model that cannot be one": envelope(2, ResultRecord("r", "../x", "1", 1, (), ())),
    "a version that cannot be one": envelope(2, ResultRecord("r", "digits", "", 1, (), ())),
    "more agreed than compared": envelope(2, comparison(compared=1, agreed=2)),
    "negative comparisons": envelope(2, comparison(compared=-1, agreed=-1)),
    "comparisons beyond any batch": envelope(2, comparison(compared=2**63, agreed=0)),
    "a sample without inputs": envelope(2, msgspec.structs.replace(sample(), inputs={})),
    "a sample that is too large": envelope(2, msgspec.structs.replace(sample(), request_id="r" * 1000)),
}


@pytest.mark.parametrize("record", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_a_payload_that_cannot_be_read_is_kept_told_and_blocks_nothing(
    ingest: Ingest, store: MemoryTelemetryStore, record: Envelope
) -> None:
    ack = ingest.store("n1", batch([*results(1), record, *results(3)]))

    assert ack.cursor == 3
    kept = [row for kind in (*RecordClass, 99) for row in _of_class(store, kind) if row.seq == 2]
    assert [row.payload for row in kept] == [record.payload]
    (event,) = events_in(store)
    assert (event.name, event.seq, event.at_ns) == ("ingest.undecodable", 2, record.at_ns)
    assert event.facts == f'{{"record_class":"{int(record.record_class)}"}}'.encode()
    assert event.reason
    assert behaviour_in(store).requests == 2
    assert samples_in(store) == []


def _of_class(store: MemoryTelemetryStore, record_class: int) -> Sequence[RecordRow]:
    with store.read() as tx:
        return tx.records(node_id="n1", record_class=record_class, after=("", 0), limit=99)


def test_a_samples_bytes_are_stored_once_and_a_digest_stands_for_them_among_the_records(
    ingest: Ingest, store: MemoryTelemetryStore
) -> None:
    kept = envelope(1, sample(np.arange(100, dtype=np.float32)[None]))

    ingest.store("n1", batch([kept]))

    (row,) = _of_class(store, RecordClass.SAMPLE)
    assert len(row.payload) < 40
    assert len(samples_in(store)) == 1
    assert ingest.store("n1", batch([kept])).cursor == 1


def test_another_sample_under_the_same_number_is_told_from_the_stored_one(ingest: Ingest) -> None:
    ingest.store("n1", batch([envelope(1, sample(np.zeros((1, 4), np.float32)))]))

    with pytest.raises(EpochTaken):
        ingest.store("n1", batch([envelope(1, sample(np.ones((1, 4), np.float32)))]))


REFUSED = {
    "out of order": batch(results(2, 1)),
    "one number twice": batch(results(1, 1)),
    "number zero": batch(results(0)),
    "a negative number": batch(results(-1)),
    "a number beyond 64 bits": batch(results(2**63)),
    "a negative time": batch([envelope(1, result(), at_ns=-1)]),
    "a time beyond 64 bits": batch([envelope(1, result(), at_ns=2**63)]),
    "a class that cannot be one": batch([Envelope(1, -1, 1, b"")]),
    "a negative count": batch(results(1), made=-1),
    "a count beyond 64 bits": batch(results(1), shed={"sample": 2**63}),
    "too many classes": batch(results(1), shed={f"c{number}": 1 for number in range(65)}),
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED.keys())
def test_a_batch_with_a_wrong_frame_is_refused_whole(ingest: Ingest, store: MemoryTelemetryStore, wrong: Batch) -> None:
    with pytest.raises(InvalidRequest):
        ingest.store("n1", wrong)

    assert records_in(store) == []


def test_an_epoch_that_cannot_be_one_is_refused(ingest: Ingest) -> None:
    with pytest.raises(InvalidName, match="epoch"):
        ingest.store("n1", batch(results(1), epoch="e" * 65))


def test_a_batch_over_the_limits_is_refused_with_the_limit(ingest: Ingest) -> None:
    with pytest.raises(TooLarge, match="at most 5"):
        ingest.store("n1", batch(results(*range(1, 7))))
    with pytest.raises(TooLarge, match="at most 10000"):
        ingest.store("n1", batch([Envelope(1, RecordClass.AUDIT, 1, b"x" * 10_001)]))


def test_nothing_is_acknowledged_when_the_disk_is_full(ingest: Ingest, store: MemoryTelemetryStore) -> None:
    store.disk_full = True

    with pytest.raises(DiskUnusable):
        ingest.store("n1", batch(results(1)))

    store.disk_full = False
    assert ingest.store("n1", batch(results(1))).cursor == 1
    assert behaviour_in(store).requests == 1


def test_a_copy_of_a_node_cannot_hide_its_records_behind_the_numbers_of_the_other(
    ingest: Ingest, store: MemoryTelemetryStore
) -> None:
    ingest.store("n1", batch([envelope(1, result(label="1")), envelope(2, result(label="2"))]))

    with pytest.raises(EpochTaken, match="record 2"):
        ingest.store("n1", batch([envelope(2, result(label="another")), envelope(3, result())]))

    assert [row.seq for row in records_in(store)] == [1, 2]
    assert cursor_in(store).seq == 2


def test_a_copys_records_are_not_taken_for_those_that_the_original_gave_up(
    ingest: Ingest, store: MemoryTelemetryStore
) -> None:
    # The original has given 2 and 3 up; the copy of it has not.
    ingest.store("n1", batch([envelope(1, result()), envelope(4, result())]))

    with pytest.raises(EpochTaken, match="record 3"):
        ingest.store("n1", batch([envelope(1, result()), envelope(3, result()), envelope(5, result())]))

    assert [row.seq for row in records_in(store)] == [1, 4]


def test_a_batch_that_comes_again_is_known_when_its_records_have_left_because_of_their_age(
    ingest: Ingest, store: MemoryTelemetryStore
) -> None:
    sent = batch(results(1, 2, 3))
    ingest.store("n1", sent)
    with store.write() as tx:
        tx.remove_records(received_before_ns=None, limit=3)

    ack = ingest.store("n1", sent)

    assert (ack.cursor, list(records_in(store))) == (3, [])
