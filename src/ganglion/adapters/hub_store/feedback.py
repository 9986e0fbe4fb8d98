"""Labels and data sets of the control database: what people said, and what was built from it."""

from collections.abc import Sequence

import sqlalchemy as sa

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store import rows
from ganglion.core.errors import Conflict
from ganglion.ports.hub_store import DatasetRow, LabelRow


class FeedbackRows:
    """Labels are only ever added; a data set version never changes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_label(self, row: LabelRow) -> None:
        """Add a label; from now on it is the sample's newest."""
        rows.add(self._connection, tables.labels, [row])

    def labels(self, sample_ids: Sequence[str] | None = None, *, since_s: float | None = None) -> dict[str, LabelRow]:
        """Return the newest label of each sample: the one that was stored last, whatever the clock said.

        With `since_s`, only what was said at that time or later counts.
        """
        columns = tables.labels.c
        said = sa.true() if since_s is None else columns.labelled_at_s >= since_s
        if sample_ids is None:
            return self._newest(said)
        newest: dict[str, LabelRow] = {}
        for some in rows.chunks(sample_ids):
            newest |= self._newest(sa.and_(columns.sample_id.in_(some), said))
        return newest

    def _newest(self, wanted: sa.ColumnElement[bool]) -> dict[str, LabelRow]:
        columns = tables.labels.c
        last = sa.select(sa.func.max(columns.number)).where(wanted).group_by(columns.sample_id)
        query = rows.select(tables.labels, LabelRow).where(columns.number.in_(last)).order_by(columns.sample_id)
        return {label.sample_id: label for label in rows.fetch(self._connection, query, LabelRow)}

    def add_dataset(self, row: DatasetRow) -> None:
        """Add a version. Raises: Conflict: the name has this version."""
        columns = tables.datasets.c
        same = sa.and_(columns.name == row.name, columns.version == row.version)
        if self._connection.execute(sa.select(columns.number).where(same)).first() is not None:
            raise Conflict(f"data set {row.name!r} has a version {row.version}")
        rows.add(self._connection, tables.datasets, [row])

    def datasets(self, name: str | None = None) -> Sequence[DatasetRow]:
        """Return data set versions, newest first."""
        columns = tables.datasets.c
        query = rows.select(tables.datasets, DatasetRow).order_by(columns.number.desc())
        if name is not None:
            query = query.where(columns.name == name)
        return rows.fetch(self._connection, query, DatasetRow)
