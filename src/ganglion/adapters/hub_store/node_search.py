"""Nodes by what people call them and what they are: selectors as SQL, over one index that holds all they ask.

Where a selector means few nodes, their marks say which; otherwise the index is read in the order of the names.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store import node_marks, rows
from ganglion.ports.hub_store import NodeQuery, NodeRow, NodeTerm

_NODES = tables.nodes.c
_COLUMNS = {"name": _NODES.name, "site": _NODES.site, "zone": _NODES.zone, "class": _NODES.node_class}
_IN_SERVICE = sa.and_(_NODES.revoked_at_s.is_(None), _NODES.retired_at_s.is_(None))
_LET_IN = sa.and_(_IN_SERVICE, _NODES.quarantined_at_s.is_(None))
_OUT = sa.select(_NODES.name).where(tables.IS_OUT)
_STANDINGS = {
    "revoked": _NODES.revoked_at_s.is_not(None),
    "retired": sa.and_(_NODES.revoked_at_s.is_(None), _NODES.retired_at_s.is_not(None)),
    "quarantined": sa.and_(_IN_SERVICE, _NODES.quarantined_at_s.is_not(None)),
    "pending": sa.and_(_LET_IN, _NODES.last_seen_at_s.is_(None)),
    "active": sa.and_(_LET_IN, _NODES.last_seen_at_s.is_not(None)),
}
_EITHER = frozenset({"pending", "active"})


class NodeSearch:
    """Searches among the nodes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find_nodes(self, query: NodeQuery) -> Sequence[NodeRow]:
        """Return the nodes that a query asks for, by name."""
        found = self._found(_NODES.node_id, query)
        # The inner query reads the index alone; only what is on the page is read whole.
        page = rows.select(tables.nodes, NodeRow).where(_NODES.node_id.in_(found)).order_by(_NODES.name)
        return rows.fetch(self._connection, page, NodeRow)

    def find_names(self, query: NodeQuery) -> Sequence[str]:
        """Return the names of the nodes that a query asks for, in order; no node is read for that."""
        return list(self._connection.execute(self._found(_NODES.name, query)).scalars())

    def count_nodes(self, query: NodeQuery) -> int:
        """Return how many nodes meet the terms and have one of the standings."""
        if frozenset(query.standings) == _EITHER:
            match [*(((term,),) for term in query.terms), *query.within]:
                case []:
                    return self._let_in()
                case [((NodeTerm() as term,),)] if term.key != "name":
                    marked = self._let_in_with(term)
                    return self._let_in() - marked if term.is_negated else marked
        return self._counted(self._narrowed(sa.select(sa.func.count()), replace(query, after="", limit=None)))

    def node_names(self) -> dict[str, str]:
        """Return the name of every node by its id."""
        found = self._connection.exec_driver_sql("SELECT node_id, name FROM nodes INDEXED BY nodes_to_select")
        return {node_id: name for node_id, name in found}  # noqa: C416 - rows are no pairs to the type checker

    def node_counts(self) -> Sequence[tuple[str, str, int]]:
        """Return each site and zone of nodes in service, and how many there are."""
        counted = sa.select(_NODES.site, _NODES.zone, sa.func.count()).where(_IN_SERVICE)
        grouped = counted.group_by(_NODES.site, _NODES.zone).order_by(_NODES.site, _NODES.zone)
        return [(site, zone, count) for site, zone, count in self._connection.execute(grouped)]

    def _let_in(self) -> int:
        """Return how many nodes are let in: all but the few that are not, which have an index of their own."""
        counted = sa.select(sa.func.count()).select_from(tables.nodes)
        return self._difference(counted, counted.where(tables.IS_OUT))

    def _let_in_with(self, term: NodeTerm) -> int:
        """Return how many of these have what the term names, by their marks alone."""
        counted = node_marks.count(term)
        return self._difference(counted, counted.where(tables.node_marks.c.name.in_(_OUT)))

    def _difference(self, many: sa.Select[Any], few: sa.Select[Any]) -> int:
        return self._counted(sa.select(many.scalar_subquery() - few.scalar_subquery()))

    def _counted(self, asked: sa.Select[Any]) -> int:
        return int(self._connection.execute(asked).scalar_one())

    def _found(self, column: sa.ColumnElement[Any], query: NodeQuery) -> sa.Select[Any]:
        found = self._narrowed(sa.select(column), query).order_by(_NODES.name)
        if query.after:
            found = found.where(_NODES.name > query.after)
        return found if query.limit is None else found.limit(query.limit)

    def _narrowed(self, asked: sa.Select[Any], query: NodeQuery) -> sa.Select[Any]:
        """Return what is asked of the nodes that a query means, without a page of it."""
        found = asked.select_from(tables.nodes).where(*_conditions(query))
        names = node_marks.narrowed(self._connection, query)
        if names is None:
            return found
        return found.where(_NODES.name.in_(names)).with_hint(tables.nodes, "INDEXED BY nodes_to_select", "sqlite")


def _conditions(query: NodeQuery) -> list[sa.ColumnElement[bool]]:
    conditions = [_condition(term) for term in query.terms]
    for alternatives in query.within:
        met = (sa.and_(sa.true(), *map(_condition, terms)) for terms in alternatives)
        conditions.append(sa.or_(sa.false(), *met))
    if query.standings:
        conditions.append(_stands(frozenset(query.standings)))
    return conditions


def _stands(standings: frozenset[str]) -> sa.ColumnElement[bool]:
    """Return the condition. Who is pending or active is let in: that is asked without when a node was last heard of."""
    if standings >= _EITHER:
        return sa.or_(_LET_IN, *(_STANDINGS[each] for each in sorted(standings - _EITHER)))
    return sa.or_(*(_STANDINGS[each] for each in sorted(standings)))


def _condition(term: NodeTerm) -> sa.ColumnElement[bool]:
    value = _value(term.key)
    if not term.values:
        return value.is_(None) if term.is_negated else value.is_not(None)
    if term.is_negated:
        return sa.or_(value.is_(None), sa.not_(node_marks.among(value, term.values)))
    return node_marks.among(value, term.values)


def _value(key: str) -> sa.ColumnElement[Any]:
    """Return where a key stands in a row. Keys were parsed: none has a quote, and a document is never asked by path."""
    if key in _COLUMNS:
        return _COLUMNS[key]
    if key in node_marks.FACTS:
        return sa.cast(_member(_NODES.facts, key), sa.Text)
    return _member(_NODES.labels, key)


def _member(document: sa.ColumnElement[Any], key: str) -> sa.ColumnElement[Any]:
    return sa.func.json_extract(sa.cast(document, sa.Text), f'$."{key}"')
