"""Contract of the control store, for many nodes at once: the database and its fake."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.store_rows import assignment, node
from ganglion.adapters.hub_store import open_control
from ganglion.ports.hub_store import ControlStore
from ganglion.testing.memory_store import MemoryControlStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ControlStore]:
    opened = open_control(tmp_path / "control.db") if request.param == "sqlite" else MemoryControlStore()
    yield opened
    opened.close()


def test_many_nodes_are_read_and_assigned_at_once(store: ControlStore) -> None:
    names = [f"n{number:03}" for number in range(600)]
    with store.write() as tx:
        for number, name in enumerate(names):
            tx.put_node(replace(node(name, name), last_seen_at_s=float(number) if number else None))
        tx.put_assignments([assignment(name, version="1") for name in names[:550]])
        again = [assignment("n000", version="1"), assignment("n001", version="2"), assignment("n002", model="gauges")]
        assert tx.put_assignments(again) == ["n001", "n002"]
        tx.remove_assignments(["n003", "n599"], "digits")

    with store.read() as tx:
        assert [sight.name for sight in tx.node_sights()] == names
        assert [sight.name for sight in tx.node_sights(after="n041", limit=3)] == ["n042", "n043", "n044"]
        assert [sight.name for sight in tx.node_sights(after="n598")] == ["n599"]
        assert tx.heard(since_s=598.0) == {"n598": 598.0, "n599": 599.0}
        assert tx.heard().keys() == set(names[1:])
        assert tx.nodes_of([*reversed(names), "unknown"]) == [tx.node(name) for name in reversed(names)]
        assert tx.names_of(["n005", "unknown", "n599"]) == {"n005": "n005", "n599": "n599"}
        assert {row.node_id for row in tx.reports_of([*names, "unknown"])} == set(names)
        assert tx.all_assignments_of(["n004", "n002"]) == [
            *tx.assignments(node_id="n002"),
            *tx.assignments(node_id="n004"),
        ]
        found = tx.assignments_of([*names, "unknown"], "digits")
        assert found == {row.node_id: row for row in tx.assignments(model="digits")}
        assert tx.assigned_versions("digits") == {node_id: row.version for node_id, row in found.items()}
        assert (len(found), found["n001"].version) == (549, "2")
        assert tx.assigned_versions("digits", node_ids=["n001", "n599", "unknown"]) == {"n001": "2"}


def test_a_sight_of_a_node_says_what_its_row_says(store: ControlStore) -> None:
    row = replace(node("id1", "n1"), site="porto", labels=b'{"line":"3"}', retired_at_s=5.0)
    with store.write() as tx:
        tx.put_node(row)

    with store.read() as tx:
        (sight,) = tx.node_sights()

    assert sight == tuple(getattr(row, name) for name in sight._fields)


def test_nodes_that_are_let_in_and_were_not_heard_of_since_are_stale(store: ControlStore) -> None:
    silent = replace(node("id1", "n1"), last_seen_at_s=4.0, admitted_at_s=2.0)
    others = [
        replace(node("id2", "n2"), last_seen_at_s=5.0),
        node("id3", "n3"),
        replace(node("id4", "n4"), retired_at_s=1.0),
        replace(node("id5", "n5"), revoked_at_s=1.0, last_seen_at_s=4.0),
        replace(node("id6", "n6"), quarantined_at_s=1.0, last_seen_at_s=4.0),
    ]
    with store.write() as tx:
        for row in (silent, *others):
            tx.put_node(row)

    with store.read() as tx:
        stale = {each.name: each for each in tx.stale(before_s=5.0)}

    assert stale.keys() == {"n1", "n3"}
    assert stale["n1"] == tuple(getattr(silent, name) for name in stale["n1"]._fields)


def test_parts_of_a_rollout_come_back_in_their_order(store: ControlStore) -> None:
    with store.write() as tx:
        for number in (2, 10, 1):
            tx.add_rollout_part("r1", number, f"{number}".encode())
        tx.add_rollout_part("r2", 1, b"other")

    with store.read() as tx:
        assert tx.rollout_parts("r1") == [b"1", b"2", b"10"]
    with store.write() as tx:
        tx.remove_rollout_parts("r1", before=10)
    with store.read() as tx:
        assert tx.rollout_parts("r1") == [b"10"]
        assert tx.rollout_parts("r2") == [b"other"]
