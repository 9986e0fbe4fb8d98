"""The marks of nodes: for every label and every fact the names of the nodes that have it.

They follow the nodes in the same transaction, and only narrow a search: what a node has is asked of the node itself.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.ports.hub_store import Alternatives, NodeQuery, NodeRow, NodeTerm

FACTS = frozenset({"arch", "runtime", "release", "cores"})
NARROWED_MAX = 10_000
"""Names that are looked up one by one: to read every node in order costs less than to look up many more."""
_FEW = 8
_NAME = "name"
_MARKS = tables.node_marks.c
_ADD = "INSERT INTO node_marks (key, value, name) VALUES (?, ?, ?)"
_REMOVE = "DELETE FROM node_marks WHERE key = ? AND value = ? AND name = ?"


def follow(connection: sqlite3.Connection, before: NodeRow | None, after: NodeRow) -> None:
    """Write what is new of a node that is stored, and remove what is no longer so."""
    if before is not None and _source(before) == _source(after):
        return
    had, has = (set(_marks(before)) if before else set[tuple[str, str, str]]()), set(_marks(after))
    connection.executemany(_REMOVE, sorted(had - has)).close()
    connection.executemany(_ADD, sorted(has - had)).close()


def narrowed(connection: sa.Connection, query: NodeQuery) -> sa.Select[Any] | sa.CompoundSelect[Any] | None:
    """Return a selection of names among which is every node that a query asks for; None: they may be too many."""
    best, fewest = None, NARROWED_MAX + 1
    for alternatives in [*(((term,),) for term in query.terms), *query.within]:
        found = _fewest(connection, alternatives, fewest)
        if found is not None:
            best, fewest = found
    return None if best is None else _names(best, query.after)


def count(term: NodeTerm) -> sa.Select[Any]:
    """Return how nodes are counted that have what a term names, negated or not. `name` is no mark."""
    return sa.select(sa.func.count()).select_from(tables.node_marks).where(*_is_met(term))


def _fewest(
    connection: sa.Connection, alternatives: Alternatives, fewer_than: int
) -> tuple[list[NodeTerm], int] | None:
    """Return of every alternative the term that the fewest nodes meet, and how many these are together."""
    chosen, together = list[NodeTerm](), 0
    for terms in alternatives:
        counted = [
            (_count(connection, term, fewer_than), number) for number, term in enumerate(terms) if _is_marked(term)
        ]
        if not counted:
            return None
        count, number = min(counted)
        together += count
        if together >= fewer_than:
            return None
        chosen.append(terms[number])
    return chosen, together


def _is_marked(term: NodeTerm) -> bool:
    return not term.is_negated and (term.key != _NAME or bool(term.values))


def _count(connection: sa.Connection, term: NodeTerm, most: int) -> int:
    if term.key == _NAME:
        return len(term.values)
    some = sa.select(sa.literal(1)).where(*_is_met(term)).limit(most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _names(terms: list[NodeTerm], after: str) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    parts = [
        listed(term.values) if term.key == _NAME else sa.select(_MARKS.name).where(*_is_met(term), _MARKS.name > after)
        for term in terms
    ]
    # No alternative at all is nobody.
    return sa.union_all(*parts) if parts else sa.select(_MARKS.name).where(sa.false())


def _is_met(term: NodeTerm) -> Iterator[sa.ColumnElement[bool]]:
    yield _MARKS.key == term.key
    if term.values:
        yield among(_MARKS.value, term.values)


def among(column: sa.ColumnElement[Any], values: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of the values."""
    return column.in_(values if len(values) <= _FEW else listed(values))


def listed(values: tuple[str, ...]) -> sa.Select[Any]:
    """Return the values as a selection: a statement takes a limited number of parameters, and this is one."""
    each = sa.func.json_each(msgspec.json.encode(values).decode()).table_valued("value", joins_implicitly=True)
    return sa.select(sa.cast(each.c.value, sa.Text))


def _source(row: NodeRow) -> tuple[object, ...]:
    return row.name, row.site, row.zone, row.node_class, row.labels, row.facts


def _marks(row: NodeRow) -> Iterator[tuple[str, str, str]]:
    labels = msgspec.json.decode(row.labels, type=dict[str, str])
    facts = {
        key: str(value) for key, value in msgspec.json.decode(row.facts, type=dict[str, object]).items() if key in FACTS
    }
    known = {"site": row.site, "zone": row.zone, "class": row.node_class}
    return ((key, value, row.name) for key, value in (labels | facts | known).items() if key != _NAME)
