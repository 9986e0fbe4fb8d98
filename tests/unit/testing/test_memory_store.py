from dataclasses import replace
from threading import Thread

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import Conflict, DiskUnusable
from ganglion.ports.hub_store import ControlStore, CredentialRow, JoinTokenRow, LabelRow, NodeRow, ReleaseRow
from ganglion.ports.telemetry_store import RecordRow, RollupKey, SampleRow, TelemetryStore
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore


def node(name: str = "north", node_id: str = "n1") -> NodeRow:
    return NodeRow(
        node_id=node_id,
        name=name,
        site="s",
        zone="z",
        public_key="00",
        node_class="x-1",
        facts=b"{}",
        enrolled_at_s=1.0,
    )


def add_both(store: ControlStore, one: NodeRow, other: NodeRow) -> None:
    with store.write() as tx:
        tx.put_node(one)
        tx.put_node(other)


def release(version: str = "1", sha256: str = "aa", released_at_s: float = 1.0) -> ReleaseRow:
    return ReleaseRow("digits", version, "fp32", "any", "onnxruntime", sha256, 10, b"{}", released_at_s)


def record(seq: int, epoch: str = "e1", record_class: int = 2) -> RecordRow:
    return RecordRow("n1", epoch, seq, record_class, 1, 2, b"", 1)


def sample(sample_id: str = "n1-e1-1", at_ns: int = 1) -> SampleRow:
    return SampleRow(sample_id, "n1", at_ns, "digits", "1", "r1", "random", "7", 0.5, b"", at_ns)


def test_the_fakes_are_stores() -> None:
    control: ControlStore = MemoryControlStore()
    telemetry: TelemetryStore = MemoryTelemetryStore()

    with control.read() as tx, telemetry.read() as other:
        assert (list(tx.nodes()), list(other.cursors())) == ([], [])


def test_a_transaction_that_fails_leaves_nothing() -> None:
    store = MemoryControlStore()

    with store.write() as tx:
        tx.put_node(node())

    with pytest.raises(Conflict):
        add_both(store, node("south", "n2"), node("north", "n3"))

    with store.read() as tx:
        assert [row.node_id for row in tx.nodes()] == ["n1"]


def test_a_full_disk_fails_the_commit_and_keeps_what_was() -> None:
    store = MemoryTelemetryStore()
    store.disk_full = True

    with pytest.raises(DiskUnusable), store.write() as tx:
        tx.add_samples([sample()])

    with store.read() as tx:
        assert tx.samples() == []


def test_a_reader_sees_one_moment() -> None:
    store = MemoryControlStore()

    with store.read() as reading:
        with store.write() as writing:
            writing.put_node(node())
        seen = reading.nodes()

    assert seen == []


def test_writing_in_a_read_transaction_is_a_programming_error() -> None:
    store = MemoryControlStore()

    with pytest.raises(TypeError, match="does not support item assignment"), store.read() as tx:
        tx.put_node(node())


def test_writers_take_turns() -> None:
    store = MemoryControlStore()

    def count() -> None:
        for _ in range(50):
            with store.write() as tx:
                tx.next_revision()

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.write() as tx:
        assert tx.next_revision() == 201


def test_a_join_token_is_good_once() -> None:
    store = MemoryControlStore()

    with store.write() as tx:
        tx.add_join_token(JoinTokenRow("hash", "north", "s", "z", expires_at_s=9.0))
        uses = [tx.use_join_token("hash", 1.0), tx.use_join_token("hash", 2.0)]
        row = tx.join_token("hash")

    assert uses == [True, False]
    assert row is not None
    assert row.used_at_s == 1.0


def test_an_unknown_join_token_is_not_used() -> None:
    with MemoryControlStore().write() as tx:
        assert not tx.use_join_token("hash", 1.0)


def test_a_name_belongs_to_one_node() -> None:
    store = MemoryControlStore()

    with store.write() as tx:
        tx.put_node(node())
        tx.put_node(replace(node(), site="moved"))
        with pytest.raises(Conflict):
            tx.put_node(node(node_id="n2"))


def test_a_credential_can_be_taken_once() -> None:
    store = MemoryControlStore()

    with store.write() as tx:
        tx.put_credential(CredentialRow("hash", "challenge", "", 5.0))
        taken = [tx.take_credential("hash", "challenge"), tx.take_credential("hash", "challenge")]

    assert [row is None for row in taken] == [False, True]


def test_a_credential_of_another_kind_is_not_found() -> None:
    with MemoryControlStore().write() as tx:
        tx.put_credential(CredentialRow("hash", "challenge", "", 5.0))

        assert tx.credential("hash", "access") is None


def test_only_expired_credentials_are_removed() -> None:
    with MemoryControlStore().write() as tx:
        tx.put_credential(CredentialRow("old", "access", "n1", 5.0))
        tx.put_credential(CredentialRow("young", "access", "n1", 15.0))
        tx.put_credential(CredentialRow("lasting", "account", "ada", None))

        assert tx.remove_credentials(expired_at_s=10.0) == 1
        assert tx.credential("lasting", "account") is not None


def test_releasing_the_same_bytes_again_changes_nothing_and_other_bytes_are_refused() -> None:
    with MemoryControlStore().write() as tx:
        tx.add_release(release(released_at_s=1.0))
        tx.add_release(release(released_at_s=2.0))
        with pytest.raises(Conflict, match="other bytes"):
            tx.add_release(release(sha256="bb"))

        assert [row.released_at_s for row in tx.releases()] == [1.0]


def test_releases_come_newest_first() -> None:
    with MemoryControlStore().write() as tx:
        for version, at_s in (("1", 1.0), ("3", 3.0), ("2", 2.0)):
            tx.add_release(release(version, at_s.hex(), at_s))

        assert [row.version for row in tx.releases("digits")] == ["3", "2", "1"]
        assert [row.version for row in tx.releases("digits", "2")] == ["2"]
        assert tx.releases("other") == []


def test_the_label_that_was_stored_last_counts_whatever_the_clocks_said() -> None:
    with MemoryControlStore().write() as tx:
        tx.add_label(LabelRow("s1", "7", "ada", 2.0))
        tx.add_label(LabelRow("s1", "1", "bob", 1.0))
        tx.add_label(LabelRow("s2", "4", "ada", 1.0))

        assert {sample_id: row.label for sample_id, row in tx.labels().items()} == {"s1": "1", "s2": "4"}
        assert list(tx.labels(["s2"])) == ["s2"]


def test_a_record_cannot_be_stored_twice() -> None:
    store = MemoryTelemetryStore()

    with store.write() as tx:
        tx.add_records([record(1)])
        with pytest.raises(Conflict):
            tx.add_records([record(1)])


def test_records_are_read_on_from_where_the_reader_stopped() -> None:
    with MemoryTelemetryStore().write() as tx:
        tx.add_records([record(2), record(1), record(1, epoch="e2"), record(3, record_class=4)])

        rows = tx.records(node_id="n1", record_class=2, after=("e1", 1), limit=10)

    assert [(row.epoch, row.seq) for row in rows] == [("e1", 2), ("e2", 1)]


def test_rollups_add_up_and_stay_apart_from_what_the_caller_holds() -> None:
    minute, next_minute = (RollupKey("n1", "digits", "1", minute) for minute in (10, 11))
    mine = Behaviour(requests=2)
    store = MemoryTelemetryStore()

    with store.write() as tx:
        tx.merge_rollup(minute, mine)
        tx.merge_rollup(minute, mine)
        tx.merge_rollup(next_minute, mine)
    mine.count_error()

    with store.read() as tx:
        whole = tx.behaviour(node_ids=["n1", "n2"], model="digits", version="1", since_minute=10)
        first = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=10, until_minute=11)
    assert {name: behaviour.requests for name, behaviour in whole.items()} == {"n1": 6}
    assert (first["n1"].requests, first["n1"].errors) == (4, 0)


def test_a_sample_is_stored_once() -> None:
    with MemoryTelemetryStore().write() as tx:
        tx.add_samples([sample()])
        tx.add_samples([replace(sample(), label="9")])

        assert [row.label for row in tx.samples(sample_ids=["n1-e1-1", "unknown"])] == ["7"]


def test_samples_are_paged_from_the_newest_on() -> None:
    with MemoryTelemetryStore().write() as tx:
        tx.add_samples([sample("a", 1), sample("b", 2), sample("c", 2), sample("d", 3)])

        page = [row.sample_id for row in tx.samples(limit=2)]
        rest = [row.sample_id for row in tx.samples(before=(2, "c"))]

    assert (page, rest) == (["d", "c"], ["b", "a"])
