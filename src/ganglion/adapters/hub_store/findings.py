"""Events and samples of the telemetry database: the records that people look at."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ganglion.adapters.hub_store import rows
from ganglion.adapters.hub_store import telemetry_tables as tables
from ganglion.ports.telemetry_store import EventRow, SampleRow


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
        newest = (columns.at_ns.desc(), columns.node_id.desc(), columns.epoch.desc(), columns.seq.desc())
        query = rows.select(tables.events, EventRow).order_by(*newest).limit(limit)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        if rollout_id is not None:
            query = query.where(columns.rollout_id == rollout_id)
        return rows.fetch(self._connection, query, EventRow)

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
    ) -> Sequence[SampleRow]:
        """Return samples by (at_ns, sample_id), newest first, older than the pair `before` when one is given."""
        columns = tables.samples.c
        query = rows.select(tables.samples, SampleRow)
        if model is not None:
            query = query.where(columns.model == model)
        if node_id is not None:
            query = query.where(columns.node_id == node_id)
        if before is not None:
            query = query.where(sa.tuple_(columns.at_ns, columns.sample_id) < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(columns.at_ns.desc(), columns.sample_id.desc()).limit(limit)
        if sample_ids is None:
            return rows.fetch(self._connection, query, SampleRow)
        return self._among(query, sample_ids)[:limit]

    def _among(self, query: sa.Select[Any], sample_ids: Sequence[str]) -> list[SampleRow]:
        found: list[SampleRow] = []
        for some in rows.chunks(list(dict.fromkeys(sample_ids))):
            found += rows.fetch(self._connection, query.where(tables.samples.c.sample_id.in_(some)), SampleRow)
        return sorted(found, key=lambda row: (row.at_ns, row.sample_id), reverse=True)
