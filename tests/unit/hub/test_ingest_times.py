"""A node whose clock is wrong: its own time is kept, and everything is counted and shown by the corrected one."""

import msgspec
import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import InvalidRequest
from ganglion.hub.services.records.ingest import Ingest
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.trust.clock_floor import BUILT_AT_S
from ganglion.wire import codec
from ganglion.wire.records import Envelope, EventRecord, RecordClass, SummaryRecord
from unit.hub.records import MINUTE_NS, batch, envelope, result, sample

NOW_NS = (int(BUILT_AT_S) // 60 + 1_000_000) * MINUTE_NS
NOW_MINUTE = NOW_NS // MINUTE_NS
IN_1970_NS = 30_000_000_000


def stored(*records: Envelope, sent_at_ns: int) -> MemoryTelemetryStore:
    store = MemoryTelemetryStore()
    ingest = Ingest(telemetry=store, clock=FakeClock(utc_ns=NOW_NS))
    ingest.store("n1", msgspec.structs.replace(batch(records), sent_at_ns=sent_at_ns))
    return store


def requests_in(store: MemoryTelemetryStore, minute: int) -> int:
    with store.read() as tx:
        found = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=minute, until_minute=minute + 1)
    return found.get("n1", Behaviour()).requests


def test_results_of_a_node_that_lives_in_1970_count_in_the_minute_in_which_they_happened() -> None:
    store = stored(envelope(1, result(), at_ns=IN_1970_NS), sent_at_ns=IN_1970_NS)

    with store.read() as tx:
        record, cursor = tx.record("n1", "e1", 1), tx.cursor("n1", "e1")
    assert record is not None
    assert cursor is not None
    assert (record.at_ns, record.corrected_at_ns) == (IN_1970_NS, NOW_NS)
    assert cursor.clock_error_ns == IN_1970_NS - NOW_NS
    assert (requests_in(store, 0), requests_in(store, NOW_MINUTE)) == (0, 1)


def test_events_and_samples_have_both_times() -> None:
    store = stored(
        envelope(1, EventRecord("update.committed"), at_ns=IN_1970_NS),
        envelope(2, sample(), at_ns=IN_1970_NS),
        sent_at_ns=IN_1970_NS + MINUTE_NS,
    )

    with store.read() as tx:
        (event,), (kept,) = tx.events(), tx.samples()
    assert (event.at_ns, event.corrected_at_ns) == (IN_1970_NS, NOW_NS - MINUTE_NS)
    assert (kept.at_ns, kept.corrected_at_ns) == (IN_1970_NS, NOW_NS - MINUTE_NS)


def test_a_summary_is_shifted_with_its_record() -> None:
    counts = Behaviour()
    counts.count_error()
    summary = SummaryRecord("digits", "1", began_ns=0, ended_ns=MINUTE_NS, behaviour=counts)

    store = stored(Envelope(1, RecordClass.SUMMARY, MINUTE_NS, codec.encode_packed(summary)), sent_at_ns=MINUTE_NS)

    assert requests_in(store, NOW_MINUTE - 1) == 1


def test_a_time_of_sending_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="sent_at_ns"):
        stored(envelope(1, result()), sent_at_ns=2**63)
