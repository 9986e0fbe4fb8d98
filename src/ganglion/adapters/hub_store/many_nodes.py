"""Many nodes of the control database at once: implements `ports.many_nodes`.

Statements are written out and run by the driver: with a hundred thousand rows everything else would cost more than they
do. What is read of all nodes stands in an index; the reports beside it are ten times as long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from ganglion.adapters.hub_store import rows
from ganglion.ports.hub_store import AssignmentRow, NodeRow
from ganglion.ports.many_nodes import NodeSight, ReportedNode, StaleNode

_NODE = ", ".join(field.name for field in fields(NodeRow))
_ASSIGNMENT = [field.name for field in fields(AssignmentRow)]
_ASSIGNMENT_KEY = ("node_id", "model")
_NO_LIMIT = -1
_SIGHTS = f"SELECT {', '.join(NodeSight._fields)} FROM nodes INDEXED BY nodes_to_select"  # noqa: S608 - ours
_HEARD = (
    "SELECT node_id, last_seen_at_s FROM nodes INDEXED BY nodes_by_last_seen WHERE last_seen_at_s >= ?"
    " ORDER BY last_seen_at_s"
)
_OUT = (
    "SELECT node_id FROM nodes"
    " WHERE revoked_at_s IS NOT NULL OR retired_at_s IS NOT NULL OR quarantined_at_s IS NOT NULL"
)
_STALE = " UNION ALL ".join(
    f"SELECT {', '.join(StaleNode._fields)} FROM nodes INDEXED BY nodes_by_last_seen"  # noqa: S608 - names of ours
    f" WHERE {seen} AND node_id NOT IN ({_OUT})"
    for seen in ("last_seen_at_s IS NULL", "last_seen_at_s < ?")
)
_PUT_ASSIGNMENT = (
    f"INSERT INTO assignments ({', '.join(_ASSIGNMENT)})"  # noqa: S608 - names of ours
    f" VALUES ({', '.join('?' * len(_ASSIGNMENT))}) ON CONFLICT ({', '.join(_ASSIGNMENT_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _ASSIGNMENT if name not in _ASSIGNMENT_KEY)
    + " WHERE "
    + " OR ".join(f"{name} != excluded.{name}" for name in _ASSIGNMENT if name not in _ASSIGNMENT_KEY)
)


class ManyNodes:
    """Asks about many nodes, and assigns to many."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def node_sights(self, *, after: str = "", limit: int | None = None) -> Sequence[NodeSight]:
        """Return nodes by name, those behind the name `after`: all, or so many."""
        statement = f"{_SIGHTS} WHERE name > ? ORDER BY name LIMIT ?"
        return list(map(NodeSight._make, self._all(statement, (after, _NO_LIMIT if limit is None else limit))))

    def stale(self, *, before_s: float) -> Sequence[StaleNode]:
        """Return the nodes that are let in and were last heard of before that time, or never; in no order."""
        return list(map(StaleNode._make, self._all(_STALE, (before_s,))))

    def heard(self, *, since_s: float | None = None) -> dict[str, float]:
        """Return by node when it was last heard of."""
        found: dict[str, float] = dict(self._all(_HEARD, (float("-inf") if since_s is None else since_s,)))
        return found

    def nodes_of(self, node_ids: Sequence[str]) -> Sequence[NodeRow]:
        """Return those of these nodes that there are, in the order of the ids."""
        found = {row[0]: NodeRow(*row) for row in self._some(f"SELECT {_NODE} FROM nodes WHERE", node_ids)}  # noqa: S608
        return [found[node_id] for node_id in node_ids if node_id in found]

    def reports_of(self, node_ids: Sequence[str]) -> Sequence[ReportedNode]:
        """Return those of these nodes that there are, in no order."""
        columns = ", ".join(ReportedNode._fields)
        return list(map(ReportedNode._make, self._some(f"SELECT {columns} FROM nodes WHERE", node_ids)))  # noqa: S608

    def names_of(self, node_ids: Sequence[str]) -> dict[str, str]:
        """Return by id the names of those of these nodes that there are."""
        return dict(self._some("SELECT node_id, name FROM nodes WHERE", node_ids))

    def assignments_of(self, node_ids: Sequence[str], model: str) -> Mapping[str, AssignmentRow]:
        """Return by node what these nodes are assigned of a model."""
        statement = f"SELECT {', '.join(_ASSIGNMENT)} FROM assignments WHERE model = ? AND"  # noqa: S608 - as above
        return {row[0]: AssignmentRow(*row) for row in self._some(statement, node_ids, model)}

    def all_assignments_of(self, node_ids: Sequence[str]) -> Sequence[AssignmentRow]:
        """Return what these nodes are assigned of whatever model, by node and model."""
        found = self._some(f"SELECT {', '.join(_ASSIGNMENT)} FROM assignments WHERE", node_ids)  # noqa: S608 - as above
        return sorted((AssignmentRow(*row) for row in found), key=lambda row: (row.node_id, row.model))

    def assigned_versions(self, model: str, *, node_ids: Sequence[str] | None = None) -> dict[str, str]:
        """Return by node the version of a model that it is assigned: of these nodes, or of all."""
        if node_ids is None:
            return dict(self._all("SELECT node_id, version FROM assignments WHERE model = ?", (model,)))
        return dict(self._some("SELECT node_id, version FROM assignments WHERE model = ? AND", node_ids, model))

    def put_assignments(self, new: Sequence[AssignmentRow]) -> list[str]:
        """Insert, or replace those of the same node and model; return the nodes for which that changed anything."""
        execute, values_of = rows.driver(self._connection).execute, attrgetter(*_ASSIGNMENT)
        return [row.node_id for row in new if execute(_PUT_ASSIGNMENT, values_of(row)).rowcount]

    def remove_assignments(self, node_ids: Sequence[str], model: str) -> None:
        """Remove what these nodes are assigned of a model, where they are."""
        statement = "DELETE FROM assignments WHERE node_id = ? AND model = ?"
        rows.driver(self._connection).executemany(statement, ((node_id, model) for node_id in node_ids)).close()

    def _all(self, statement: str, values: tuple[object, ...] = ()) -> Iterator[Any]:
        return iter(rows.driver(self._connection).execute(statement, values))

    def _some(self, statement: str, node_ids: Sequence[str], *values: str) -> Iterator[Any]:
        for some in rows.chunks(node_ids):
            places = ", ".join("?" * len(some))
            yield from self._all(f"{statement} node_id IN ({places})", (*values, *some))
