"""Tables of the telemetry database. Columns stand in the order of the fields of `ports.telemetry_store`'s rows.

A change here needs a revision in migrations/telemetry/versions; a test compares the two.
"""

import sqlalchemy as sa

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, required, table

metadata = sa.MetaData()

cursors = table(
    metadata,
    "cursors",
    key("node_id", TEXT),
    key("epoch", TEXT),
    required("seq", INTEGER),
    required("made", INTEGER),
    required("shed", BYTES),
    required("gaps", INTEGER),
    required("clock_error_ns", INTEGER),
)

records = table(
    metadata,
    "records",
    key("node_id", TEXT),
    key("epoch", TEXT),
    key("seq", INTEGER),
    required("record_class", INTEGER),
    required("at_ns", INTEGER),
    required("received_at_ns", INTEGER),
    required("payload", BYTES),
    required("corrected_at_ns", INTEGER),
)

audit_records = table(
    metadata,
    "audit_records",
    key("node_id", TEXT),
    key("epoch", TEXT),
    key("seq", INTEGER),
    required("record_class", INTEGER),
    required("at_ns", INTEGER),
    required("received_at_ns", INTEGER),
    required("payload", BYTES),
    required("corrected_at_ns", INTEGER),
)
"""Records of class AUDIT, which stay longer than all others."""

rollups = table(
    metadata,
    "rollups",
    key("node_id", TEXT),
    key("model", TEXT),
    key("version", TEXT),
    key("minute", INTEGER),
    required("behaviour", BYTES),
    sa.Index("rollups_by_minute", "minute"),
)

rollup_hours = table(
    metadata,
    "rollup_hours",
    key("node_id", TEXT),
    key("model", TEXT),
    key("version", TEXT),
    key("hour", INTEGER),
    required("behaviour", BYTES),
    sa.Index("rollup_hours_by_hour", "hour"),
)

events = table(
    metadata,
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
    required("corrected_at_ns", INTEGER),
    sa.Index("events_by_time", "corrected_at_ns"),
    sa.Index("events_by_rollout", "rollout_id", "corrected_at_ns"),
    # In the order in which they came.
    sa.Index("events_of_rollouts", "rollout_id", sqlite_where=sa.text("rollout_id != ''")),
)

samples = table(
    metadata,
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
    required("corrected_at_ns", INTEGER),
    sa.Index("samples_by_time", "corrected_at_ns", "sample_id"),
    sa.Index("samples_by_model", "model", "corrected_at_ns", "sample_id"),
    sa.Index("samples_by_node", "node_id", "corrected_at_ns", "sample_id"),
)
