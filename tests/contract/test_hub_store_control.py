"""What `ports.hub_store` promises, held by the SQLite database and by the fake that unit tests use."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from contract.store_rows import assignment, credential, join_token, label, node, release, rollout
from ganglion.adapters.hub_store import open_control
from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import ControlStore, ControlTransaction, DatasetRow, DocumentRow
from ganglion.testing.memory_store import MemoryControlStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlStore]:
    opened = open_control(tmp_path / "control.db") if request.param == "sqlite" else MemoryControlStore()
    yield opened
    opened.close()


class Interrupted(Exception):
    """What ends a transaction early."""


def take_a_revision_and_fail(store: ControlStore) -> None:
    with store.write() as tx:
        tx.next_revision()
        raise Interrupted


def put_both_nodes(tx: ControlTransaction) -> None:
    tx.put_node(node("n1", "north"))
    tx.put_node(node("n2", "south"))


def test_what_was_written_is_read_in_the_next_transaction(store: ControlStore) -> None:
    row = replace(node(), revoked_at_s=3.25, last_seen_at_s=4.5, report=b"\x00{}", desired_revision=7)

    with store.write() as tx:
        tx.put_node(row)

    with store.read() as tx:
        assert tx.node("n1") == row


def test_an_exception_takes_back_the_whole_transaction(store: ControlStore) -> None:
    def fail_after_writing() -> None:
        with store.write() as tx:
            tx.set_meta("a", "1")
            tx.add_label(label("s", "7"))
            raise Interrupted

    with pytest.raises(Interrupted):
        fail_after_writing()

    with store.read() as tx:
        assert (tx.meta("a"), tx.labels()) == (None, {})


def test_a_reader_sees_one_moment_while_another_writes(store: ControlStore) -> None:
    with store.write() as tx:
        tx.set_meta("a", "old")

    with store.read() as reading:
        before = reading.meta("a")
        with store.write() as writing:
            writing.set_meta("a", "new")
        after = reading.meta("a")

    assert (before, after) == ("old", "old")
    with store.read() as tx:
        assert tx.meta("a") == "new"


def test_many_threads_lose_no_revision(store: ControlStore) -> None:
    revisions: list[int] = []

    def take_some() -> None:
        for _ in range(10):
            with store.write() as tx:
                revisions.append(tx.next_revision())

    threads = [Thread(target=take_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(revisions) == list(range(1, 41))


def test_a_revision_that_was_not_committed_may_come_again_but_never_a_lower_one(store: ControlStore) -> None:
    with store.write() as tx:
        first = tx.next_revision()
    with pytest.raises(Interrupted):
        take_a_revision_and_fail(store)

    with store.write() as tx:
        assert tx.next_revision() > first


def test_meta_keeps_the_last_value(store: ControlStore) -> None:
    with store.write() as tx:
        tx.set_meta("incarnation", "a")
        tx.set_meta("incarnation", "b")

    with store.read() as tx:
        assert (tx.meta("incarnation"), tx.meta("unknown")) == ("b", None)


def test_a_join_token_is_used_once(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_join_token(join_token())
        used = [tx.use_join_token("h1", 5.0), tx.use_join_token("h1", 6.0), tx.use_join_token("unknown", 7.0)]

    with store.read() as tx:
        assert (used, tx.join_token("h1")) == ([True, False, False], replace(join_token(), used_at_s=5.0))
        assert tx.join_token("unknown") is None


def test_a_join_token_cannot_be_added_twice(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_join_token(join_token())

    with pytest.raises(Conflict), store.write() as tx:
        tx.add_join_token(join_token())


def test_a_node_can_change_its_name_and_keeps_its_assignments(store: ControlStore) -> None:
    with store.write() as tx:
        put_both_nodes(tx)
        tx.put_assignment(assignment("n1"))
        tx.put_node(node("n1", "west"))

    with store.read() as tx:
        assert [row.name for row in tx.nodes()] == ["south", "west"]
        assert (tx.node_by_name("north"), tx.node_by_name("west")) == (None, node("n1", "west"))
        assert tx.assignments() == [assignment("n1")]


def test_two_nodes_never_have_one_name(store: ControlStore) -> None:
    with store.write() as tx:
        put_both_nodes(tx)

    with pytest.raises(Conflict, match="north"), store.write() as tx:
        tx.put_node(node("n2", "north"))


def test_a_taken_credential_is_gone(store: ControlStore) -> None:
    with store.write() as tx:
        tx.put_credential(credential("s1", "challenge"))
        tx.put_credential(credential("s1", "access"))
        taken = [tx.take_credential("s1", "challenge"), tx.take_credential("s1", "challenge")]

    with store.read() as tx:
        assert taken == [credential("s1", "challenge"), None]
        assert (tx.credential("s1", "challenge"), tx.credential("s1", "access")) == (None, credential("s1", "access"))


def test_only_expired_credentials_are_removed(store: ControlStore) -> None:
    with store.write() as tx:
        tx.put_credential(credential("at", expires_at_s=10.0))
        tx.put_credential(credential("after", expires_at_s=10.5))
        tx.put_credential(credential("never", expires_at_s=None))
        removed = tx.remove_credentials(expired_at_s=10.0)

    with store.read() as tx:
        left = [name for name in ("at", "after", "never") if tx.credential(name, "access")]
        assert (removed, left) == (1, ["after", "never"])


def test_releasing_the_same_bytes_again_changes_nothing(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_release(release(released_at_s=1.0))
        tx.add_release(release(released_at_s=2.0))

    with store.read() as tx:
        assert tx.releases() == [release(released_at_s=1.0)]


def test_a_released_version_never_gets_other_bytes(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_release(release(sha256="aa"))

    with pytest.raises(Conflict), store.write() as tx:
        tx.add_release(release(sha256="bb"))


def test_releases_are_listed_newest_first(store: ControlStore) -> None:
    first, second, third = release("1"), release("2", released_at_s=2.0), release("2", variant="int8", released_at_s=3)
    other = replace(release(released_at_s=4.0), model="gauges")
    with store.write() as tx:
        for row in (first, second, third, other):
            tx.add_release(row)

    with store.read() as tx:
        assert tx.releases() == [other, third, second, first]
        assert tx.releases("digits") == [third, second, first]
        assert tx.releases("digits", "1") == [first]


def test_a_node_has_one_assignment_per_model(store: ControlStore) -> None:
    with store.write() as tx:
        put_both_nodes(tx)
        tx.put_assignment(assignment("n2"))
        tx.put_assignment(assignment("n1", version="1"))
        tx.put_assignment(assignment("n1", version="2"))
        tx.put_assignment(assignment("n1", model="gauges"))

    with store.read() as tx:
        assert tx.assignments(node_id="n1") == [assignment("n1", version="2"), assignment("n1", model="gauges")]
        assert tx.assignments(model="digits") == [assignment("n1", version="2"), assignment("n2")]


def test_a_removed_assignment_is_gone(store: ControlStore) -> None:
    with store.write() as tx:
        put_both_nodes(tx)
        tx.put_assignment(assignment("n1"))
        tx.remove_assignment("n1", "digits")
        tx.remove_assignment("n1", "unknown")

    with store.read() as tx:
        assert tx.assignments() == []


def test_a_rollout_keeps_its_place_when_it_changes(store: ControlStore) -> None:
    with store.write() as tx:
        tx.put_rollout(rollout("r1"))
        tx.put_rollout(rollout("r2", model="gauges"))
        tx.put_rollout(rollout("r1", state="paused", document=b'{"stage":1}'))

    with store.read() as tx:
        assert [row.rollout_id for row in tx.rollouts()] == ["r2", "r1"]
        assert tx.rollout("r1") == rollout("r1", state="paused", document=b'{"stage":1}')
        assert [row.rollout_id for row in tx.rollouts(states=["running", "aborted"])] == ["r2"]
        assert [row.rollout_id for row in tx.rollouts(model="digits")] == ["r1"]
        assert tx.rollout("unknown") is None


def test_the_label_that_was_stored_last_counts_even_if_a_clock_ran_backwards(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_label(label("a", "1", at_s=2.0))
        tx.add_label(label("b", "5", at_s=2.0))
        tx.add_label(label("a", "7", at_s=1.0))

    with store.read() as tx:
        assert {name: row.label for name, row in tx.labels().items()} == {"a": "7", "b": "5"}
        assert tx.labels(["a", "unknown"]) == {"a": label("a", "7", at_s=1.0)}
        assert tx.labels([]) == {}


def test_labels_are_found_by_when_they_were_given(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_label(label("a", "1", at_s=1.0))
        tx.add_label(label("b", "5", at_s=2.0))
        tx.add_label(label("a", "7", at_s=3.0))

    with store.read() as tx:
        assert {name: row.label for name, row in tx.labels(since_s=2.0).items()} == {"a": "7", "b": "5"}
        assert tx.labels(["a", "b"], since_s=3.0) == {"a": label("a", "7", at_s=3.0)}
        assert tx.labels(since_s=3.5) == {}


def test_labels_are_found_for_more_samples_than_one_statement_takes(store: ControlStore) -> None:
    names = [f"s{number}" for number in range(1200)]
    with store.write() as tx:
        for name in names:
            tx.add_label(label(name, "7"))

    with store.read() as tx:
        assert set(tx.labels(names)) == set(names)


def test_a_data_set_version_is_added_once(store: ControlStore) -> None:
    first, second, other = (
        DatasetRow("a", 1, "aa", 3, 1.0),
        DatasetRow("a", 2, "bb", 4, 2.0),
        DatasetRow("b", 1, "cc", 5, 3.0),
    )
    with store.write() as tx:
        for row in (first, second, other):
            tx.add_dataset(row)

    with store.read() as tx:
        assert (tx.datasets(), tx.datasets("a")) == ([other, second, first], [second, first])
    with pytest.raises(Conflict), store.write() as tx:
        tx.add_dataset(replace(second, sha256="dd"))


def test_a_document_is_the_newest_of_its_kind_and_name(store: ControlStore) -> None:
    first, newer, site = (
        DocumentRow("group", "a", b"{}", 1.0),
        DocumentRow("group", "a", b'{"nodes":["x"]}', 2.0),
        DocumentRow("site", "a", b"{}", 3.0),
    )
    with store.write() as tx:
        for row in (first, site, newer):
            tx.put_document(row)

    with store.read() as tx:
        assert (tx.document("group", "a"), tx.document("group", "b")) == (newer, None)
        assert (tx.documents("group"), tx.documents("site"), tx.documents("none")) == ([newer], [site], [])
        assert [tx.document_count(kind) for kind in ("group", "site", "none")] == [1, 1, 0]


def test_a_document_is_removed_once(store: ControlStore) -> None:
    with store.write() as tx:
        tx.put_document(DocumentRow("group", "a", b"{}", 1.0))
        tx.put_document(DocumentRow("group", "b", b"{}", 1.0))

    with store.write() as tx:
        assert tx.remove_document("group", "a")
        assert not tx.remove_document("group", "a")
        assert [row.name for row in tx.documents("group")] == ["b"]


def test_many_nodes_get_a_newer_revision_at_once(store: ControlStore) -> None:
    names = [f"n{number}" for number in range(700)]
    with store.write() as tx:
        for name in names:
            tx.put_node(node(name, name))

        tx.set_revision([*names[:600], "unknown"], tx.next_revision())

    with store.read() as tx:
        revisions = {row.node_id: row.desired_revision for row in tx.nodes()}
    assert {revisions[name] for name in names[:600]} == {1}
    assert {revisions[name] for name in names[600:]} == {0}


def test_join_tokens_that_expired_are_removed_used_or_not(store: ControlStore) -> None:
    with store.write() as tx:
        tx.add_join_token(join_token("old"))
        tx.add_join_token(replace(join_token("young"), expires_at_s=61.0))
        tx.use_join_token("old", 1.0)

        assert tx.remove_join_tokens(expired_at_s=60.0) == 1

    with store.read() as tx:
        assert tx.join_token("old") is None
        assert tx.join_token("young") is not None
