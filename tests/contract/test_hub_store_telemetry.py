"""What `ports.telemetry_store` promises, held by the SQLite database and by the fake that unit tests use."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.store_rows import event, record, sample
from ganglion.adapters.hub_store import open_telemetry
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import Conflict
from ganglion.ports.telemetry_store import AnswerRow, CursorRow, RollupKey, TelemetryStore
from ganglion.testing.memory_store import MemoryTelemetryStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TelemetryStore]:
    opened = open_telemetry(tmp_path / "telemetry.db") if request.param == "sqlite" else MemoryTelemetryStore()
    yield opened
    opened.close()


class Interrupted(Exception):
    """What ends a transaction early."""


def answers(count: int, *, latency_us: int = 100) -> Behaviour:
    behaviour = Behaviour()
    for number in range(count):
        behaviour.count_answer(latency_us, [str(number % 3)], [0.9])
    return behaviour


def key(minute: int, *, node_id: str = "n1", model: str = "digits", version: str = "1") -> RollupKey:
    return RollupKey(node_id, model, version, minute)


def test_a_cursor_is_kept_per_node_and_epoch(store: TelemetryStore) -> None:
    newest = CursorRow("n1", "e1", 9, made=12, shed=b'{"sample":3}', gaps=1)
    with store.write() as tx:
        tx.put_cursor(CursorRow("n1", "e1", 5))
        tx.put_cursor(CursorRow("n1", "e2", 6))
        tx.put_cursor(CursorRow("n2", "e1", 7))
        tx.put_cursor(newest)

    with store.read() as tx:
        assert (tx.cursor("n1", "e1"), tx.cursor("n1", "e3")) == (newest, None)
        assert {(row.node_id, row.epoch, row.seq) for row in tx.cursors("n1")} == {("n1", "e1", 9), ("n1", "e2", 6)}
        assert len(tx.cursors()) == 3


def test_a_failed_transaction_keeps_neither_records_nor_cursor(store: TelemetryStore) -> None:
    def fail_after_writing() -> None:
        with store.write() as tx:
            tx.add_records([record(1)])
            tx.merge_rollup(key(1), answers(1))
            tx.put_cursor(CursorRow("n1", "e1", 1))
            raise Interrupted

    with pytest.raises(Interrupted):
        fail_after_writing()

    with store.read() as tx:
        assert tx.records(node_id="n1", record_class=2, after=("", 0), limit=9) == []
        assert tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=0) == {}
        assert tx.cursors() == []


def test_records_are_read_in_pages_by_epoch_and_sequence(store: TelemetryStore) -> None:
    rows = [record(seq, epoch=epoch) for epoch in ("e1", "e2") for seq in (1, 2, 30)]
    with store.write() as tx:
        tx.add_records([rows[4], rows[0], rows[5], rows[2], rows[3], rows[1]])
        tx.add_records([record(3, record_class=1), record(4, node_id="n2")])
        tx.add_records([])

    pages = []
    after = ("", 0)
    with store.read() as tx:
        while page := tx.records(node_id="n1", record_class=2, after=after, limit=4):
            pages.append(list(page))
            after = (page[-1].epoch, page[-1].seq)

    assert pages == [rows[:4], rows[4:]]


def test_a_record_is_found_by_its_number_whatever_its_class(store: TelemetryStore) -> None:
    rows = [record(1), record(2, record_class=1), record(2, epoch="e2"), record(2, node_id="n2")]
    with store.write() as tx:
        tx.add_records(rows)

    with store.read() as tx:
        assert tx.record("n1", "e1", 2) == rows[1]
        assert tx.record("n1", "e1", 3) is None


def test_a_record_is_stored_once(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_records([record(1)])

    with pytest.raises(Conflict), store.write() as tx:
        tx.add_records([record(2), record(1)])

    with store.read() as tx:
        assert len(tx.records(node_id="n1", record_class=2, after=("", 0), limit=9)) == 1


def test_rollups_of_one_minute_add_up(store: TelemetryStore) -> None:
    compared = Behaviour()
    compared.count_comparison(4, 3, 50)
    with store.write() as tx:
        tx.merge_rollup(key(5), answers(2))
        tx.merge_rollup(key(5), answers(3, latency_us=900))
    with store.write() as tx:
        tx.merge_rollup(key(5), compared)

    expected = answers(2)
    expected.merge(answers(3, latency_us=900))
    expected.merge(compared)
    with store.read() as tx:
        found = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=5)
    assert found == {"n1": expected}


def test_the_merged_behaviour_is_not_changed_by_what_the_caller_does_later(store: TelemetryStore) -> None:
    mine = answers(1)
    with store.write() as tx:
        tx.merge_rollup(key(5), mine)
        mine.count_error()

    with store.read() as tx:
        tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=5)["n1"].count_error()
    with store.read() as tx:
        assert tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=5)["n1"].errors == 0


def test_behaviour_is_merged_per_node_from_the_first_minute_up_to_but_not_with_the_last(store: TelemetryStore) -> None:
    with store.write() as tx:
        for minute in (4, 5, 6, 7):
            tx.merge_rollup(key(minute), answers(minute))
        tx.merge_rollup(key(6, node_id="n2"), answers(1))
        tx.merge_rollup(key(6, node_id="n3"), answers(1))
        tx.merge_rollup(key(6, version="2"), answers(50))
        tx.merge_rollup(key(6, model="gauges"), answers(50))

    with store.read() as tx:
        some = tx.behaviour(
            node_ids=["n1", "n2", "silent"], model="digits", version="1", since_minute=5, until_minute=7
        )
        open_ended = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=6)

    assert {node: behaviour.requests for node, behaviour in some.items()} == {"n1": 11, "n2": 1}
    assert open_ended["n1"].requests == 13


def test_events_are_listed_newest_first(store: TelemetryStore) -> None:
    old, late, new = event(1, at_ns=10), event(2, node_id="n2", at_ns=20, rollout_id="r1"), event(3, at_ns=30)
    with store.write() as tx:
        tx.add_events([new, old])
        tx.add_events([late])
        tx.add_events([])

    with store.read() as tx:
        assert tx.events() == [new, late, old]
        assert tx.events(limit=1) == [new]
        assert tx.events(node_id="n1") == [new, old]
        assert tx.events(rollout_id="r1") == [late]


def test_events_of_a_rollout_are_read_on_from_the_newest_that_is_known(store: TelemetryStore) -> None:
    first, later, old = event(1, at_ns=20, rollout_id="r1"), event(2, at_ns=30, rollout_id="r1"), event(3, at_ns=5)
    with store.write() as tx:
        tx.add_events([first, old, replace(event(4), rollout_id="r2")])
    with store.read() as tx:
        known, number = tx.events_since("r1", 0)
    with store.write() as tx:
        tx.add_events([first, later, replace(old, seq=9, rollout_id="r1")])

    with store.read() as tx:
        fresh, newest = tx.events_since("r1", number)

        assert (known, fresh) == ([first], [later, replace(old, seq=9, rollout_id="r1")])
        assert tx.events_since("r1", newest) == ([], newest)
        assert tx.events_since("r1", 0, limit=2)[0] == [first, later]
        assert tx.events_since("r1", 0, limit=1) == ([first], number)
        assert tx.events_since("", 0) == ([], 0)


def test_an_event_is_stored_once_as_it_first_came(store: TelemetryStore) -> None:
    first = event(1, at_ns=10)
    with store.write() as tx:
        tx.add_events([first])
        tx.add_events([event(1, at_ns=20, rollout_id="another")])

    with store.read() as tx:
        assert tx.events() == [first]


def test_events_of_one_moment_have_one_order(store: TelemetryStore) -> None:
    rows = [event(2), event(1), event(2, node_id="n2"), event(10)]
    with store.write() as tx:
        tx.add_events(rows)

    with store.read() as tx:
        assert tx.events() == [event(2, node_id="n2"), event(10), event(2), event(1)]


def test_events_of_a_name_are_counted_by_node(store: TelemetryStore) -> None:
    crash = "version.quarantined"
    with store.write() as tx:
        tx.add_events([replace(event(number, at_ns=5 * number), name=crash) for number in (1, 2, 4)])
        tx.add_events([replace(event(1, node_id="n2", at_ns=10), name=crash, model="meter"), event(9, at_ns=10)])

    with store.read() as tx:
        assert tx.events_by_node(crash, since_ns=10) == {"n1": 2, "n2": 1}
        assert tx.events_by_node(crash, since_ns=10, model="meter") == {"n2": 1}
        assert tx.events_by_node("none", since_ns=0) == {}


def test_cursors_are_listed_by_node_and_epoch(store: TelemetryStore) -> None:
    rows = [CursorRow("n2", "e1", 1), CursorRow("n1", "e2", 1), CursorRow("n1", "e1", 1)]
    with store.write() as tx:
        for row in rows:
            tx.put_cursor(row)

    with store.read() as tx:
        assert tx.cursors() == rows[::-1]
        assert tx.cursors_of(["n1", "unknown"]) == [rows[2], rows[1]]
        assert tx.records_stored() == 3


def test_a_sample_is_stored_once(store: TelemetryStore) -> None:
    with store.write() as tx:
        tx.add_samples([sample("a")])
        tx.add_samples([sample("a"), sample("b")])
        tx.add_samples([])

    with store.read() as tx:
        assert tx.samples() == [sample("b"), sample("a")]


def test_samples_are_listed_newest_first_and_in_pages(store: TelemetryStore) -> None:
    rows = [sample("d", at_ns=30), sample("c", at_ns=20), sample("b", at_ns=20), sample("a", at_ns=10)]
    with store.write() as tx:
        tx.add_samples(rows[::-1])

    with store.read() as tx:
        first = tx.samples(limit=2)
        second = tx.samples(limit=2, before=(first[-1].corrected_at_ns, first[-1].sample_id))

    assert [*first, *second] == rows


def test_samples_are_found_by_model_node_and_id(store: TelemetryStore) -> None:
    mine, other = sample("a"), sample("b", model="gauges", node_id="n2")
    with store.write() as tx:
        tx.add_samples([mine, other])

    with store.read() as tx:
        assert tx.samples(model="digits") == [mine]
        assert tx.samples(node_id="n2") == [other]
        assert tx.samples(sample_ids=["b", "a", "b", "unknown"]) == [other, mine]
        assert tx.samples(sample_ids=["b", "a"], model="digits") == [mine]
        assert tx.samples(sample_ids=[]) == []


def test_what_was_said_of_samples_is_found_by_model_reason_and_time(store: TelemetryStore) -> None:
    by_chance = [replace(sample(f"s{number:04d}", at_ns=number), reason="random") for number in range(1200)]
    others = [sample("other-reason"), replace(sample("other-model", model="gauges"), reason="random")]
    with store.write() as tx:
        tx.add_samples([*by_chance, *others])
        ids = [row.sample_id for row in (*by_chance[::-1], *others)]

    with store.read() as tx:
        found = tx.answers([*ids, "unknown", "s0007"], model="digits", reason="random", since_ns=100)
        none = tx.answers([], model="digits", reason="random", since_ns=0)

    assert [row.sample_id for row in found] == [row.sample_id for row in by_chance[100:]]
    assert found[0] == AnswerRow("s0100", "n1", by_chance[0].version, by_chance[0].label, 100)
    assert none == []


def test_samples_are_found_among_more_ids_than_one_statement_takes(store: TelemetryStore) -> None:
    rows = [sample(f"s{number:04d}", at_ns=number) for number in range(1200)]
    with store.write() as tx:
        tx.add_samples(rows)

    with store.read() as tx:
        assert tx.samples(sample_ids=[row.sample_id for row in rows], limit=700) == rows[:-701:-1]
