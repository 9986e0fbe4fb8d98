"""Event time by the hub's clock, and counts by the hour for what is too old for minutes."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, TEXT, key, required

revision = "0002"
down_revision = "0001"

_BEFORE = {
    "events": {"events_by_time": ["at_ns"], "events_by_rollout": ["rollout_id", "at_ns"]},
    "samples": {
        "samples_by_time": ["at_ns", "sample_id"],
        "samples_by_model": ["model", "at_ns", "sample_id"],
        "samples_by_node": ["node_id", "at_ns", "sample_id"],
    },
}


def upgrade() -> None:
    """Take the nodes' times as they are for what is stored already."""
    op.add_column("cursors", _number("clock_error_ns"))
    for table in ("records", "events", "samples"):
        op.add_column(table, _number("corrected_at_ns"))
        op.execute(f"UPDATE {table} SET corrected_at_ns = at_ns")  # noqa: S608 - names from three lines above
    for table, indexes in _BEFORE.items():
        for name, columns in indexes.items():
            op.drop_index(name, table)
            op.create_index(name, table, ["corrected_at_ns" if each == "at_ns" else each for each in columns])
    op.create_index("rollups_by_minute", "rollups", ["minute"])
    op.create_table(
        "rollup_hours",
        key("node_id", TEXT),
        key("model", TEXT),
        key("version", TEXT),
        key("hour", INTEGER),
        required("behaviour", BYTES),
        sa.Index("rollup_hours_by_hour", "hour"),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )


def _number(name: str) -> sa.Column[int]:
    # SQLite adds a column that is never null only with a default; it writes no row for it.
    return sa.Column(name, INTEGER, nullable=False, server_default="0")
