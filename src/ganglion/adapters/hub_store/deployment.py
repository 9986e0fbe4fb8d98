"""Releases, assignments and rollouts of the control database: what should run where."""

from collections.abc import Sequence

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store import rows
from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import AssignmentRow, ReleaseRow, RolloutRow


class DeploymentRows:
    """What was released, what each node should serve, and the rollouts that decide it."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_release(self, row: ReleaseRow) -> None:
        """Add it; the same bytes again change nothing. Raises: Conflict: it exists with other bytes."""
        columns = tables.releases.c
        same = sa.and_(columns.model == row.model, columns.version == row.version, columns.variant == row.variant)
        released = self._connection.execute(sa.select(columns.sha256).where(same)).scalar_one_or_none()
        if released is None:
            rows.add(self._connection, tables.releases, [row])
        elif released != row.sha256:
            raise Conflict(f"{row.model}:{row.version} ({row.variant}) was released before, with other bytes")

    def releases(self, model: str | None = None, version: str | None = None) -> Sequence[ReleaseRow]:
        """Return releases, newest first."""
        columns = tables.releases.c
        query = rows.select(tables.releases, ReleaseRow).order_by(columns.released_at_s.desc(), columns.number.desc())
        if model is not None:
            query = query.where(columns.model == model)
        if version is not None:
            query = query.where(columns.version == version)
        return rows.fetch(self._connection, query, ReleaseRow)

    def put_assignment(self, row: AssignmentRow) -> None:
        """Insert, or replace the one of the same node and model."""
        rows.put(self._connection, tables.assignments, row, on=["node_id", "model"])

    def remove_assignment(self, node_id: str, model: str) -> None:
        """Remove it if it is there."""
        columns = tables.assignments.c
        it = sa.and_(columns.node_id == node_id, columns.model == model)
        self._connection.execute(sa.delete(tables.assignments).where(it))

    def assignments(self, *, node_id: str | None = None, model: str | None = None) -> Sequence[AssignmentRow]:
        """Return assignments by node and model."""
        if node_id is not None and model is None:
            # What every node asks that waits for news.
            found = rows.find(self._connection, tables.assignments, AssignmentRow, node_id=node_id)
            return sorted(found, key=lambda row: row.model)
        columns = tables.assignments.c
        query = rows.select(tables.assignments, AssignmentRow).order_by(columns.node_id, columns.model)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        if model is not None:
            query = query.where(columns.model == model)
        return rows.fetch(self._connection, query, AssignmentRow)

    def put_rollout(self, row: RolloutRow) -> None:
        """Insert, or replace the one of the same id, which keeps its place in the order."""
        rows.put(self._connection, tables.rollouts, row, on=["rollout_id"])

    def rollout(self, rollout_id: str) -> RolloutRow | None:
        """Return the rollout with this id."""
        query = rows.select(tables.rollouts, RolloutRow).where(tables.rollouts.c.rollout_id == rollout_id)
        return rows.fetch_one(self._connection, query, RolloutRow)

    def rollouts(self, *, model: str | None = None, states: Sequence[str] = ()) -> Sequence[RolloutRow]:
        """Return rollouts, the one that was started last first."""
        columns = tables.rollouts.c
        query = rows.select(tables.rollouts, RolloutRow).order_by(columns.number.desc())
        if model is not None:
            query = query.where(columns.model == model)
        if states:
            query = query.where(columns.state.in_(states))
        return rows.fetch(self._connection, query, RolloutRow)

    def add_rollout_part(self, rollout_id: str, number: int, document: bytes) -> None:
        """Add a part under a number that the rollout has none under."""
        statement = "INSERT INTO rollout_parts (rollout_id, number, document) VALUES (?, ?, ?)"
        self._connection.exec_driver_sql(statement, (rollout_id, number, document))

    def rollout_parts(self, rollout_id: str) -> Sequence[bytes]:
        """Return what was added, by number."""
        statement = "SELECT document FROM rollout_parts WHERE rollout_id = ? ORDER BY number"
        return [document for (document,) in self._connection.exec_driver_sql(statement, (rollout_id,))]

    def remove_rollout_parts(self, rollout_id: str, *, before: int) -> None:
        """Remove the parts with smaller numbers."""
        statement = "DELETE FROM rollout_parts WHERE rollout_id = ? AND number < ?"
        self._connection.exec_driver_sql(statement, (rollout_id, before))
