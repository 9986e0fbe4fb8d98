from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.core.delivery_errors import Busy
from ganglion.core.errors import EpochTaken, GanglionError, HubUnreachable, InvalidRequest, TooLarge
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.egress import EgressSettings
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.services.sending.forwarder import REFUSED_EVENT, Forwarder, ForwarderSettings
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire import codec
from ganglion.wire.desired import AgentOptions
from ganglion.wire.records import Ack, Batch, EventRecord, RecordClass

POISON = b"poison"


class Paused(Exception):
    """The forwarder went to sleep."""


class PickyHub:
    """Stores batches in order, and refuses them as `judge` says."""

    def __init__(self, judge: Callable[[Batch], GanglionError | None]) -> None:
        self.judge, self.batches, self.tried = judge, list[Batch](), list[int]()
        self.batch_bytes = 0

    def send(self, batch: Batch) -> Ack:
        self.tried.append(len(batch.records))
        self.batch_bytes += sum(len(record.payload) for record in batch.records)
        if error := self.judge(batch):
            raise error
        self.batches.append(batch)
        return Ack(batch.epoch, batch.records[-1].seq)

    @property
    def stored(self) -> list[bytes]:
        return [record.payload for batch in self.batches for record in batch.records]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAgentStore]:
    store = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "first")
    yield store
    store.close()


def forwarder_to(
    hub: PickyHub, store: SqliteAgentStore, *, clock: FakeClock | None = None, egress: EgressSettings | None = None
) -> Forwarder:
    return Forwarder(
        store=store,
        link=hub,  # type: ignore[arg-type]  # it is asked for nothing else
        clock=clock or FakeClock(),
        chance=SeededChance(1),
        settings=ForwarderSettings(batch_records_max=64, egress=egress or EgressSettings()),
        retry=BackoffPolicy(),
    )


def fill(store: SqliteAgentStore, payloads: list[bytes]) -> None:
    records = [NewRecord(RecordClass.RESULT, number, payload) for number, payload in enumerate(payloads)]
    store.take_journal(records, JournalPosition(1, 1))


def drain_patiently(forwarder: Forwarder, *, errors_max: int) -> int:
    """Drain as `run` does, without its pauses; return how often it had to wait."""
    for waits in range(errors_max + 1):
        try:
            anyio.run(forwarder.drain)
        except GanglionError:
            continue
        return waits
    raise AssertionError("it never got through")


def poisoned(batch: Batch) -> GanglionError | None:
    is_poisoned = any(record.payload == POISON for record in batch.records)
    return InvalidRequest("this record is not for me") if is_poisoned else None


def test_one_record_that_the_hub_refuses_does_not_hold_up_the_others(store: SqliteAgentStore) -> None:
    good = [b"%d" % number for number in range(100)]
    fill(store, [*good[:37], POISON, *good[37:]])
    hub = PickyHub(poisoned)

    drain_patiently(forwarder_to(hub, store), errors_max=10)

    assert hub.stored[:-1] == good
    told = codec.decode_packed(hub.stored[-1], EventRecord)
    assert (told.name, told.reason) == (REFUSED_EVENT, "this record is not for me")
    assert store.figures().shed == {"result": 1}


def test_a_record_is_given_up_only_after_patience(store: SqliteAgentStore) -> None:
    fill(store, [POISON])
    hub = PickyHub(poisoned)

    waits = drain_patiently(forwarder_to(hub, store), errors_max=10)

    assert waits == ForwarderSettings().refusals_max - 1


def test_something_on_the_way_that_refuses_everything_costs_nothing_when_it_passes(store: SqliteAgentStore) -> None:
    payloads = [b"%d" % number for number in range(10)]
    fill(store, payloads)
    trouble = [InvalidRequest("a proxy was badly configured")] * 5
    hub = PickyHub(lambda _: trouble.pop() if trouble else None)

    drain_patiently(forwarder_to(hub, store), errors_max=10)

    assert hub.stored == payloads
    assert store.figures().shed == {}


def test_batches_that_are_too_large_for_the_hub_are_cut(store: SqliteAgentStore) -> None:
    payloads = [b"%d" % number for number in range(60)]
    fill(store, payloads)
    hub = PickyHub(lambda batch: TooLarge("at most 10") if len(batch.records) > 10 else None)

    drain_patiently(forwarder_to(hub, store), errors_max=0)

    assert hub.stored == payloads


def test_a_link_that_breaks_gets_smaller_batches_until_it_carries_them(store: SqliteAgentStore) -> None:
    payloads = [b"%d" % number for number in range(200)]
    fill(store, payloads)
    hub = PickyHub(lambda batch: HubUnreachable("timed out") if len(batch.records) > 5 else None)

    drain_patiently(forwarder_to(hub, store), errors_max=200)

    assert hub.stored == payloads
    assert hub.tried[:5] == [64, 32, 16, 8, 4]


def test_an_answer_for_another_epoch_forgets_nothing(store: SqliteAgentStore) -> None:
    fill(store, [b"1", b"2"])
    hub = PickyHub(lambda _: None)
    hub.send = lambda batch: Ack("another", 2)  # type: ignore[method-assign]  # a cache on the way answers

    with pytest.raises(HubUnreachable):
        anyio.run(forwarder_to(hub, store).drain)

    assert store.figures().waiting == 2


def never_as_far(batch: Batch) -> Ack:
    return Ack(batch.epoch, batch.records[0].seq - 1)


def below_nothing(batch: Batch) -> Ack:
    return Ack(batch.epoch, -(10**30))


def one_by_one(batch: Batch) -> Ack:
    return Ack(batch.epoch, batch.records[0].seq)


def further_than_ever(batch: Batch) -> Ack:
    return Ack(batch.epoch, 2**62)


def an_epoch_of_another(_batch: Batch) -> Ack:
    raise EpochTaken("another node has it")


@pytest.mark.parametrize("answer", [never_as_far, below_nothing, one_by_one, further_than_ever, an_epoch_of_another])
def test_whatever_a_hub_answers_a_node_pauses_before_it_sends_the_same_again(
    store: SqliteAgentStore, answer: Callable[[Batch], Ack]
) -> None:
    fill(store, [b"%d" % number for number in range(20)])
    hub = PickyHub(lambda _: None)
    asked: list[Batch] = []

    def send(batch: Batch) -> Ack:
        asked.append(batch)
        assert len(asked) < 20, "it sends without a pause"
        return answer(batch)

    hub.send = send  # type: ignore[method-assign]  # this hub stores nothing
    forwarder = forwarder_to(hub, store)

    for _pause in range(4):
        with pytest.raises(HubUnreachable):
            anyio.run(forwarder.drain)

    assert len(asked) <= 8
    assert store.figures().waiting >= 16


def test_records_beyond_the_budget_wait_for_the_next_hour_and_across_a_restart(store: SqliteAgentStore) -> None:
    fill(store, [b"x" * 100] * 200)
    hub, clock, egress = PickyHub(lambda _: None), FakeClock(), EgressSettings(hour_bytes_max=10_000)

    anyio.run(forwarder_to(hub, store, clock=clock, egress=egress).drain)
    anyio.run(forwarder_to(hub, store, clock=clock, egress=egress).drain)
    in_the_first_hour = len(hub.stored)
    clock.advance(3600)
    anyio.run(forwarder_to(hub, store, clock=clock, egress=egress).drain)

    assert in_the_first_hour == 128  # The batch that crosses the limit leaves whole.
    assert len(hub.stored) == 200


def test_the_cost_of_each_class_is_known(store: SqliteAgentStore) -> None:
    store.take_journal([NewRecord(RecordClass.SAMPLE, 1, b"x" * 300)], JournalPosition(1, 1))
    store.take_journal([NewRecord(RecordClass.RESULT, 1, b"x" * 100)], JournalPosition(1, 2))
    forwarder = forwarder_to(PickyHub(lambda _: None), store)

    anyio.run(forwarder.drain)

    assert forwarder.spent.month_by_class == {"result": 100, "sample": 300}


def test_what_the_journal_shed_counts_once_in_all_epochs_together(tmp_path: Path) -> None:
    epochs = iter(["first", "second"])
    store = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: next(epochs))
    store.take_journal([], JournalPosition(1, 1), shed={"result": 3})
    before = store.figures()

    store.renew_epoch()
    store.take_journal([], JournalPosition(1, 1), shed={"result": 5})

    after = store.figures()
    store.close()
    assert (before.made, before.shed) == (3, {"result": 3})
    assert (after.made, after.shed) == (2, {"result": 2})


@pytest.mark.parametrize(("asked_s", "pause_s"), [(40.0, 40.0), (1e9, 900.0), (0.001, 1.0), (None, 1.0)])
def test_a_hub_that_is_busy_is_left_alone_for_as_long_as_it_wants(
    store: SqliteAgentStore, monkeypatch: pytest.MonkeyPatch, asked_s: float | None, pause_s: float
) -> None:
    fill(store, [b"a"])
    forwarder = forwarder_to(PickyHub(lambda _: Busy("later", retry_after_s=asked_s)), store)
    slept: list[float] = []

    async def pause(seconds: float) -> None:
        slept.append(seconds)
        raise Paused

    monkeypatch.setattr(anyio, "sleep", pause)
    with pytest.raises(Paused):
        anyio.run(forwarder.run)

    assert slept == [pause_s]


def test_a_busy_hub_is_sent_batches_of_the_same_size_later(store: SqliteAgentStore) -> None:
    fill(store, [b"a"] * 64)
    refusals = iter([Busy("later")] * 3)
    hub = PickyHub(lambda _: next(refusals, None))

    waits = drain_patiently(forwarder_to(hub, store), errors_max=5)

    assert (waits, hub.tried) == (3, [64, 64, 64, 64])


def test_a_hub_can_make_batches_smaller_and_budgets_tighter_and_give_both_back(store: SqliteAgentStore) -> None:
    payloads = [b"%d" % number for number in range(60)]
    fill(store, payloads)
    hub = PickyHub(lambda _: None)
    forwarder = forwarder_to(hub, store, egress=EgressSettings(hour_bytes_max=1_000_000))

    forwarder.tune(AgentOptions(batch_records_max=20, egress_hour_bytes_max=1))
    anyio.run(forwarder.drain)
    within_budget = len(hub.stored)
    forwarder.tune(AgentOptions(batch_records_max=20))
    anyio.run(forwarder.drain)

    assert (within_budget, len(hub.stored)) == (20, 60)
    assert max(hub.tried) == 20


def test_a_hub_cannot_lift_what_the_nodes_own_settings_allow(store: SqliteAgentStore) -> None:
    fill(store, [b"%d" % number for number in range(200)])
    hub = PickyHub(lambda _: None)
    forwarder = forwarder_to(hub, store, egress=EgressSettings(hour_bytes_max=1))

    forwarder.tune(AgentOptions(batch_records_max=10_000, egress_hour_bytes_max=10**12))
    anyio.run(forwarder.drain)

    assert hub.tried == [64]
