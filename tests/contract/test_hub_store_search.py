"""Nodes are found in the database as selectors mean them: `hub.domain.selectors` is the judge."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.store_rows import node
from ganglion.adapters.hub_store import node_marks, open_control
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.hub.services.organisation.groups import facts_of
from ganglion.ports.hub_store import ControlStore, NodeQuery, NodeRow, NodeTerm
from ganglion.testing.memory_store import MemoryControlStore
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts

KEYS = ["line", "canary", "site", "zone", "class", "arch", "runtime", "cores", "name", "a.b-c_d"]
VALUES = ["1", "3", "porto", "faro", "x86_64", "aarch64", "4", "x86_64-4", "n001", "cold"]


def fleet() -> list[NodeRow]:
    """Return nodes that differ in all that can be asked."""
    return [made(number) for number in range(24)]


def made(number: int) -> NodeRow:
    arch = "x86_64" if number % 2 else "aarch64"
    facts = NodeFacts(arch, "onnxruntime", 4 if number % 3 else 1, 1, "0.1.0")
    labels = [{}, {"line": "3"}, {"line": "1", "canary": "1"}, {"a.b-c_d": "cold"}][number % 4]
    return replace(
        node(f"id{number:03}", f"n{number:03}"),
        site="porto" if number % 5 else "faro",
        node_class=facts.node_class,
        facts=codec.encode_json(facts),
        labels=msgspec.json.encode(labels),
        revoked_at_s=1.0 if number == 20 else None,
        retired_at_s=1.0 if number in {20, 21} else None,
        quarantined_at_s=1.0 if number in {21, 22} else None,
        last_seen_at_s=None if number == 23 else 1.0,
    )


@pytest.fixture(scope="module", params=["sqlite", "sqlite with more nodes than are looked up one by one", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlStore]:
    path = tmp_path_factory.mktemp("search") / "control.db"
    opened: ControlStore = MemoryControlStore() if request.param == "memory" else open_control(path)
    with opened.write() as tx:
        for row in fleet():
            tx.put_node(row)
    with pytest.MonkeyPatch.context() as patch:
        if "more" in request.param:
            patch.setattr(node_marks, "NARROWED_MAX", 5)
        yield opened
    opened.close()  # type: ignore[attr-defined]  # both have it, the port does not ask for it


TERMS = st.builds(
    NodeTerm,
    st.sampled_from(KEYS),
    st.lists(st.sampled_from(VALUES), max_size=2, unique=True).map(tuple),
    is_negated=st.booleans(),
)


CONJUNCTIONS = st.lists(TERMS, max_size=3).map(tuple)
QUERIES = st.builds(
    NodeQuery,
    terms=CONJUNCTIONS,
    within=st.lists(st.lists(CONJUNCTIONS, max_size=3).map(tuple), max_size=2).map(tuple),
    standings=st.sampled_from([(), ("pending", "active"), ("active", "retired"), tuple(Standing)]),
)


@given(query=QUERIES, limit=st.integers(1, 9))
def test_the_store_finds_exactly_the_nodes_that_are_meant_page_by_page(
    store: ControlStore, query: NodeQuery, limit: int
) -> None:
    with store.read() as tx:
        found = tx.find_nodes(query)
        names = tx.find_names(query)
        counted = tx.count_nodes(query)
        paged: list[str] = []
        while page := tx.find_names(replace(query, after=paged[-1] if paged else "", limit=limit)):
            paged += page

    assert list(found) == [row for row in fleet() if is_meant(row, query)]
    assert names == paged == [row.name for row in found]
    assert counted == len(found)


def is_meant(row: NodeRow, query: NodeQuery) -> bool:
    return (
        meets(row, query.terms)
        and all(any(meets(row, terms) for terms in alternatives) for alternatives in query.within)
        and (not query.standings or standing_of(row) in query.standings)
    )


def meets(row: NodeRow, terms: tuple[NodeTerm, ...]) -> bool:
    meant = selectors.Selector(tuple(selectors.Term(each.key, each.values, each.is_negated) for each in terms))
    return meant.selects(facts_of(row))


def test_a_hundred_groups_of_many_values_can_be_asked_for_at_once(store: ControlStore) -> None:
    values = tuple(f"v{number}" for number in range(400))
    groups = tuple((NodeTerm(f"key{number}", values), NodeTerm("line", is_negated=True)) for number in range(99))
    named = (NodeTerm("name", ("n003", *values)),)

    with store.read() as tx:
        names = tx.find_names(NodeQuery(within=((*groups, named),)))

    assert names == ["n003"]


@pytest.mark.parametrize("standing", ["pending", "active", "quarantined", "retired", "revoked"])
def test_the_store_finds_the_nodes_of_a_standing(store: ControlStore, standing: str) -> None:
    with store.read() as tx:
        found = tx.find_nodes(NodeQuery(standings=(standing,)))
        assert tx.find_names(NodeQuery(standings=(standing,))) == [row.name for row in found]

    assert [row.name for row in found] == [row.name for row in fleet() if standing_of(row).value == standing]


def test_pages_that_follow_each_other_give_every_node_once(store: ControlStore) -> None:
    names: list[str] = []
    with store.read() as tx:
        while page := tx.find_nodes(NodeQuery(after=names[-1] if names else "", limit=7)):
            names += [row.name for row in page]

    assert names == [row.name for row in fleet()]


def test_places_are_counted_without_nodes_that_are_gone(store: ControlStore) -> None:
    with store.read() as tx:
        counts = tx.node_counts()

    assert counts == [("faro", "z", 4), ("porto", "z", 18)]


def test_every_node_has_its_name(store: ControlStore) -> None:
    with store.read() as tx:
        names = tx.node_names()

    assert names == {row.node_id: row.name for row in fleet()}
