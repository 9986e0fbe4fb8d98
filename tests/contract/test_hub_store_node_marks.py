"""The marks by which nodes are found say at every moment what the nodes say."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given
from hypothesis import strategies as st

from contract.store_rows import node
from ganglion.adapters.hub_store import ControlDatabase, migrate, open_control
from ganglion.core.errors import Conflict
from ganglion.hub.services.organisation.groups import facts_of
from ganglion.ports.hub_store import NodeRow
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts

KEYS = st.sampled_from(["line", "canary", "a.b-c_d"])
VALUES = st.sampled_from(["1", "3", "porto", "it's"])
ROWS = st.builds(
    lambda node_id, name, site, cores, labels: replace(
        node(node_id, name),
        site=site,
        node_class=f"x86_64-{cores}",
        facts=codec.encode_json(NodeFacts("x86_64", "onnxruntime", cores, 1, "0.1.0")),
        labels=msgspec.json.encode(labels),
    ),
    st.sampled_from(["id1", "id2"]),
    st.sampled_from(["n1", "n2", "n3"]),
    VALUES,
    st.integers(1, 2),
    st.dictionaries(KEYS, VALUES),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks") / "control.db"


@pytest.fixture(scope="module")
def store(path: Path) -> Iterator[ControlDatabase]:
    opened = open_control(path)
    yield opened
    opened.close()


@given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_after_any_changes_a_node_has_a_mark_for_each_label_and_fact(
    store: ControlDatabase, path: Path, rows: list[NodeRow]
) -> None:
    for row in rows:
        # Another node may have the name: then nothing of it is stored, and no mark is.
        with suppress(Conflict), store.write(lasting=False) as tx:
            tx.put_node(row)

    with store.read() as tx:
        nodes = tx.nodes()
    assert marks(path) == {(*mark, row.name) for row in nodes for mark in facts_of(row).items() if mark[0] != "name"}


def test_nodes_of_an_earlier_release_get_their_marks(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection, "control"), "0006")
        connection.exec_driver_sql(
            "INSERT INTO nodes (node_id, name, site, zone, public_key, node_class, facts, enrolled_at_s, report,"
            " desired_revision, next_public_key, former_public_keys, quarantine_reason, measured, labels)"
            " VALUES ('id1', 'n1', 'porto', 'z', '00', 'x86_64-4', ?, 1.0, x'', 0, '', '', '', x'', ?)",
            (codec.encode_json(NodeFacts("x86_64", "onnxruntime", 4, 1, "0.1.0")), b'{"line":"3"}'),
        )
    engine.dispose()

    store = open_control(path)

    with store.read() as tx:
        (row,) = tx.nodes()
    store.close()
    assert marks(path) == {(*mark, "n1") for mark in facts_of(row).items() if mark[0] != "name"}


def marks(path: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as database:
        return set(database.execute("SELECT key, value, name FROM node_marks"))
