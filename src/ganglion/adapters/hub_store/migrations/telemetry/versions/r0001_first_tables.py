"""The first tables of the telemetry database."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, required

revision = "0001"
down_revision = None

_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": True}


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cursors",
        key("node_id", TEXT),
        key("epoch", TEXT),
        required("seq", INTEGER),
        required("made", INTEGER),
        required("shed", BYTES),
        required("gaps", INTEGER),
        **_STRICT,
    )
    op.create_table(
        "records",
        key("node_id", TEXT),
        key("epoch", TEXT),
        key("seq", INTEGER),
        required("record_class", INTEGER),
        required("at_ns", INTEGER),
        required("received_at_ns", INTEGER),
        required("payload", BYTES),
        **_STRICT,
    )
    op.create_table(
        "rollups",
        key("node_id", TEXT),
        key("model", TEXT),
        key("version", TEXT),
        key("minute", INTEGER),
        required("behaviour", BYTES),
        **_STRICT,
    )
    op.create_table(
        "events",
        key("node_id", TEXT),
        key("epoch", TEXT),
        key("seq", INTEGER),
        required("at_ns", INTEGER),
        required("name", TEXT),
        required("model", TEXT),
        required("version", TEXT),
        required("rollout_id", TEXT),
        required("reason", TEXT),
        required("facts", BYTES),
        sa.Index("events_by_time", "at_ns"),
        sa.Index("events_by_rollout", "rollout_id", "at_ns"),
        **_STRICT,
    )
    op.create_table(
        "samples",
        key("sample_id", TEXT),
        required("node_id", TEXT),
        required("at_ns", INTEGER),
        required("model", TEXT),
        required("version", TEXT),
        required("request_id", TEXT),
        required("reason", TEXT),
        required("label", TEXT),
        required("confidence", REAL),
        required("inputs", BYTES),
        sa.Index("samples_by_time", "at_ns", "sample_id"),
        sa.Index("samples_by_model", "model", "at_ns", "sample_id"),
        sa.Index("samples_by_node", "node_id", "at_ns", "sample_id"),
        **_STRICT,
    )
