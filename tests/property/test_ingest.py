"""However batches are cut, repeated, delayed or shed from: each record is stored once, and counts equal the sum."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.adapters.hub_store import open_telemetry
from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.records.ingest import BatchLimits, kept_payload, read
from ganglion.hub.services.records.ingest import Ingest
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire import codec
from ganglion.wire.records import Batch, ComparisonRecord, Envelope, EventRecord, RecordClass, ResultRecord
from unit.hub.records import MINUTE_NS, Record, batch, comparison, envelope, result, sample

CONTENTS = st.one_of(
    st.builds(
        result,
        version=st.sampled_from(["1", "2"]),
        latency_us=st.integers(0, 10**6),
        label=st.sampled_from("0123456789"),
        error=st.sampled_from(["", "", "model_failed"]),
    ),
    st.builds(comparison, compared=st.just(4), agreed=st.integers(0, 4), latency_us=st.integers(0, 10**6)),
    st.builds(EventRecord, name=st.just("update.committed")),
    st.just(sample()),
)
RECORDS = st.lists(st.tuples(CONTENTS, st.integers(0, 3 * MINUTE_NS)), max_size=30)


@dataclass(frozen=True)
class Send:
    """Send what waits, and perhaps never hear that it arrived."""

    size: int
    ack_lost: bool


@dataclass(frozen=True)
class Late:
    """An earlier batch, stuck somewhere, arrives now."""

    which: int


@dataclass(frozen=True)
class Shed:
    """The outbox gives up records that were never sent."""

    count: int


Step = Send | Late | Shed
STEPS = st.lists(
    st.one_of(
        st.builds(Send, size=st.integers(1, 8), ack_lost=st.booleans()),
        st.builds(Late, which=st.integers(0, 20)),
        st.builds(Shed, count=st.integers(1, 3)),
    ),
    max_size=20,
)


@dataclass
class Node:
    """The sending side: an outbox that forgets only what is acknowledged, and never sheds what it sent."""

    ingest: Ingest
    waiting: list[Envelope]
    shed: int = 0
    sent_up_to: int = 0
    batches: list[Batch] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)

    def take(self, step: Step) -> None:
        match step:
            case Send():
                self.send(step)
            case Late() if self.batches:
                self.deliver(self.batches[step.which % len(self.batches)])
            case Shed():
                unsent = [record for record in self.waiting if record.seq > self.sent_up_to][: step.count]
                self.waiting = [record for record in self.waiting if record not in unsent]
                self.shed += len(unsent)

    def send(self, step: Send) -> None:
        if not self.waiting:
            return
        self.batches.append(batch(self.waiting[: step.size], shed={"result": self.shed}))
        self.sent_up_to = max(self.sent_up_to, self.batches[-1].records[-1].seq)
        cursor = self.deliver(self.batches[-1])
        if not step.ack_lost:
            self.waiting = [record for record in self.waiting if record.seq > cursor]

    def deliver(self, sent: Batch) -> int:
        self.acks.append(self.ingest.store("n1", sent).cursor)
        return self.acks[-1]

    def finish(self) -> None:
        """Send until nothing waits, then let every batch arrive once more."""
        while self.waiting:
            self.send(Send(size=5, ack_lost=False))
        for sent in self.batches[::-1]:
            self.deliver(sent)


@contextmanager
def in_memory() -> Iterator[TelemetryStore]:
    yield MemoryTelemetryStore()


@contextmanager
def on_disk() -> Iterator[TelemetryStore]:
    with TemporaryDirectory() as directory:
        store = open_telemetry(Path(directory, "telemetry.db"))
        yield store
        store.close()


def stored_in(store: TelemetryStore) -> dict[int, bytes]:
    with store.read() as tx:
        rows = [row for kind in RecordClass for row in tx.records(
            node_id="n1", record_class=kind, after=("", 0), limit=99
        )]  # fmt: skip
    assert len(rows) == len({row.seq for row in rows})
    return {row.seq: row.payload for row in rows}


def behaviour_in(store: TelemetryStore, version: str, minute: int) -> Behaviour:
    with store.read() as tx:
        found = tx.behaviour(
            node_ids=["n1"], model="digits", version=version, since_minute=minute, until_minute=minute + 1
        )
    return found.get("n1", Behaviour())


def sum_of(records: Sequence[Envelope], version: str, minute: int) -> Behaviour:
    """Count again, in the order of the node and without any batch."""
    total = Behaviour()
    for record in records:
        if record.at_ns // MINUTE_NS != minute:
            continue
        if record.record_class == RecordClass.RESULT:
            count_result(total, codec.decode_packed(record.payload, ResultRecord), version)
        elif record.record_class == RecordClass.SUMMARY:
            compared = codec.decode_packed(record.payload, ComparisonRecord)
            if compared.version == version:
                total.count_comparison(compared.compared, compared.agreed, compared.latency_us)
    return total


def count_result(total: Behaviour, answer: ResultRecord, version: str) -> None:
    if answer.version != version:
        return
    if answer.error:
        total.count_error()
    else:
        total.count_answer(answer.latency_us, answer.labels, answer.confidences)


@pytest.mark.parametrize("opened", [in_memory, on_disk])
@settings(max_examples=60, deadline=None)
@given(contents=RECORDS, steps=STEPS)
def test_every_record_is_stored_once_and_counted_once(
    opened: Callable[[], AbstractContextManager[TelemetryStore]],
    contents: list[tuple[Record, int]],
    steps: list[Step],
) -> None:
    made = [envelope(seq, content, at_ns=at_ns) for seq, (content, at_ns) in enumerate(contents, start=1)]
    with opened() as store:
        node = Node(Ingest(telemetry=store, clock=FakeClock()), list(made))

        for step in steps:
            node.take(step)
        node.finish()

        stored = stored_in(store)
        kept = [record for record in made if record.seq in stored]
        assert {record.seq: kept_payload(record, read(record, BatchLimits())) for record in kept} == stored
        assert len(made) == len(stored) + node.shed
        assert node.acks == sorted(node.acks)
        check_counts(store, kept)


def check_counts(store: TelemetryStore, kept: Sequence[Envelope]) -> None:
    for version in ("1", "2"):
        for minute in range(4):
            assert behaviour_in(store, version, minute) == sum_of(kept, version, minute)
    with store.read() as tx:
        cursors, events, samples = tx.cursors(), tx.events(), tx.samples()
    last = max((record.seq for record in kept), default=0)
    assert sum(row.gaps for row in cursors) == last - len(kept)
    assert {row.seq for row in events} == {r.seq for r in kept if r.record_class == RecordClass.EVENT}
    assert {row.sample_id for row in samples} == {
        f"n1-e1-{r.seq}" for r in kept if r.record_class == RecordClass.SAMPLE
    }
