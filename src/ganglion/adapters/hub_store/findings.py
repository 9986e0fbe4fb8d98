"""Events and samples of the telemetry database: the records that people look at."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from ganglion.adapters.hub_store import rows
from ganglion.adapters.hub_store import telemetry_tables as tables
from ganglion.ports.telemetry_store import AnswerRow, EventRow, SampleRow

_EVENT = ", ".join(field.name for field in fields(EventRow))
_SINCE = (
    f"SELECT rowid, {_EVENT} FROM events INDEXED BY events_of_rollouts"  # noqa: S608 - names of ours
    " WHERE rollout_id = ? AND rollout_id != '' AND rowid > ? ORDER BY rowid LIMIT ?"
)
_NO_LIMIT = -1


class FindingRows:
    """What was projected from records when they came."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_events(self, new: Sequence[EventRow]) -> None:
        """Add events; one that is there stays as it is."""
        rows.add_missing(self._connection, tables.events, new)

    def events(
        self, *, node_id: str | None = None, rollout_id: str | None = None, limit: int = 100
    ) -> Sequence[EventRow]:
        """Return events, newest first."""
        columns = tables.events.c
        newest = (columns.corrected_at_ns.desc(), columns.node_id.desc(), columns.epoch.desc(), columns.seq.desc())
        query = rows.select(tables.events, EventRow).order_by(*newest).limit(limit)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        if rollout_id is not None:
            query = query.where(columns.rollout_id == rollout_id)
        return rows.fetch(self._connection, query, EventRow)

    def events_since(self, rollout_id: str, number: int, *, limit: int | None = None) -> tuple[Sequence[EventRow], int]:
        """Return the first events of a rollout that were added after that number, and the newest one's number."""
        values = (rollout_id, number, _NO_LIMIT if limit is None else limit)
        found = rows.driver(self._connection).execute(_SINCE, values).fetchall()
        return [EventRow(*values) for _, *values in found], found[-1][0] if found else number

    def events_by_node(self, name: str, *, since_ns: int, model: str | None = None) -> dict[str, int]:
        """Return how many events of this name each node told since that corrected time."""
        columns = tables.events.c
        query = sa.select(columns.node_id, sa.func.count()).where(columns.corrected_at_ns >= since_ns)
        query = query.where(columns.name == name).group_by(columns.node_id)
        if model is not None:
            query = query.where(columns.model == model)
        return {node_id: count for node_id, count in self._connection.execute(query)}  # noqa: C416 - rows are no pairs

    def add_samples(self, new: Sequence[SampleRow]) -> None:
        """Add samples; one that is there stays as it is."""
        rows.add_missing(self._connection, tables.samples, new)

    def samples(
        self,
        *,
        model: str | None = None,
        node_id: str | None = None,
        sample_ids: Sequence[str] | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
        bytes_max: int | None = None,
    ) -> Sequence[SampleRow]:
        """Return samples by (corrected_at_ns, sample_id), newest first, older than the pair `before` when given.

        With `bytes_max` it stops before the inputs are more than that, but not before the first sample.
        """
        columns = tables.samples.c
        query = rows.select(tables.samples, SampleRow)
        if model is not None:
            query = query.where(columns.model == model)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        if before is not None:
            at_and_id = sa.tuple_(columns.corrected_at_ns, columns.sample_id)
            query = query.where(at_and_id < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(columns.corrected_at_ns.desc(), columns.sample_id.desc()).limit(limit)
        if sample_ids is None:
            return self._up_to(query, bytes_max)
        return self._among(query, sample_ids)[:limit]

    def answers(self, sample_ids: Sequence[str], *, model: str, reason: str, since_ns: int) -> Sequence[AnswerRow]:
        """Return what was said of those of these samples that were kept for this reason since then, by id."""
        columns = tables.samples.c
        query = rows.select(tables.samples, AnswerRow).where(columns.model == model, columns.reason == reason)
        query = query.where(columns.corrected_at_ns >= since_ns)
        found: list[AnswerRow] = []
        for some in rows.chunks(sorted(set(sample_ids))):
            found += rows.fetch(
                self._connection, query.where(columns.sample_id.in_(some)).order_by(columns.sample_id), AnswerRow
            )
        return found

    def _up_to(self, query: sa.Select[Any], bytes_max: int | None) -> list[SampleRow]:
        """Return the rows of the query, read one by one: inputs can be large."""
        found: list[SampleRow] = []
        size_bytes = 0
        for values in self._connection.execute(query):
            row = SampleRow(*values)
            size_bytes += len(row.inputs)
            if found and bytes_max is not None and size_bytes > bytes_max:
                break
            found.append(row)
        return found

    def _among(self, query: sa.Select[Any], sample_ids: Sequence[str]) -> list[SampleRow]:
        found: list[SampleRow] = []
        for some in rows.chunks(list(dict.fromkeys(sample_ids))):
            found += rows.fetch(self._connection, query.where(tables.samples.c.sample_id.in_(some)), SampleRow)
        return sorted(found, key=lambda row: (row.corrected_at_ns, row.sample_id), reverse=True)
