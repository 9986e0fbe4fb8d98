"""Tables of the control database. Columns stand in the order of the fields of `ports.hub_store`'s rows.

A change here needs a revision in migrations/control/versions; a test compares the two.
"""

import sqlalchemy as sa

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, order, required, table

metadata = sa.MetaData()

meta = table(metadata, "meta", key("key", TEXT), required("value", TEXT))
counters = table(metadata, "counters", key("name", TEXT), required("value", INTEGER))

join_tokens = table(
    metadata,
    "join_tokens",
    key("token_hash", TEXT),
    required("name", TEXT),
    required("site", TEXT),
    required("zone", TEXT),
    required("expires_at_s", REAL),
    sa.Column("used_at_s", REAL),
    required("labels", BYTES),
)

nodes = table(
    metadata,
    "nodes",
    key("node_id", TEXT),
    required("name", TEXT),
    required("site", TEXT),
    required("zone", TEXT),
    required("public_key", TEXT),
    required("node_class", TEXT),
    required("facts", BYTES),
    required("enrolled_at_s", REAL),
    sa.Column("revoked_at_s", REAL),
    sa.Column("last_seen_at_s", REAL),
    required("report", BYTES),
    required("desired_revision", INTEGER),
    required("next_public_key", TEXT),
    required("former_public_keys", TEXT),
    sa.Column("key_since_at_s", REAL),
    sa.Column("rekey_asked_at_s", REAL),
    sa.Column("quarantined_at_s", REAL),
    required("quarantine_reason", TEXT),
    sa.Column("admitted_at_s", REAL),
    sa.Column("retired_at_s", REAL),
    required("measured", BYTES),
    required("labels", BYTES),
    sa.UniqueConstraint("name", name="nodes_name_once"),
    # Everything that a selector can ask: a search reads this index, and not the reports beside it.
    sa.Index(
        "nodes_to_select",
        "name",
        "site",
        "zone",
        "node_class",
        "labels",
        "facts",
        "revoked_at_s",
        "retired_at_s",
        "quarantined_at_s",
        "node_id",
    ),
    sa.Index("nodes_by_place", "site", "zone", "revoked_at_s", "retired_at_s"),
    sa.Index("nodes_by_last_seen", "last_seen_at_s", "node_id", "name", "enrolled_at_s"),
)

IS_OUT = sa.or_(
    nodes.c.revoked_at_s.is_not(None), nodes.c.retired_at_s.is_not(None), nodes.c.quarantined_at_s.is_not(None)
)
"""Whom the hub lets in no more: mostly few, with an index of their own."""
sa.Index("nodes_out", nodes.c.name, sqlite_where=IS_OUT)

node_marks = table(
    metadata,
    "node_marks",
    key("key", TEXT),
    key("value", TEXT),
    key("name", TEXT),
    clustered=True,
)
"""Which nodes have a label or a fact, by the name of the node: written with the node, in the same transaction."""

credentials = table(
    metadata,
    "credentials",
    key("secret_hash", TEXT),
    key("kind", TEXT),
    required("subject", TEXT),
    sa.Column("expires_at_s", REAL),
    sa.Index("credentials_by_kind", "kind"),
    sa.Index("credentials_by_expiry", "expires_at_s"),
)

releases = table(
    metadata,
    "releases",
    order(),
    required("model", TEXT),
    required("version", TEXT),
    required("variant", TEXT),
    required("arch", TEXT),
    required("runtime", TEXT),
    required("sha256", TEXT),
    required("size_bytes", INTEGER),
    required("manifest", BYTES),
    required("released_at_s", REAL),
    sa.UniqueConstraint("model", "version", "variant", name="releases_once"),
)

assignments = table(
    metadata,
    "assignments",
    sa.Column("node_id", TEXT, sa.ForeignKey("nodes.node_id"), primary_key=True, nullable=False),
    key("model", TEXT),
    required("version", TEXT),
    required("variant", TEXT),
    required("rollout_id", TEXT),
    required("policy", BYTES),
    sa.Index("assignments_by_model", "model"),
)

rollouts = table(
    metadata,
    "rollouts",
    order(),
    required("rollout_id", TEXT),
    required("model", TEXT),
    required("version", TEXT),
    required("state", TEXT),
    required("document", BYTES),
    required("updated_at_s", REAL),
    sa.UniqueConstraint("rollout_id", name="rollouts_once"),
    sa.Index("rollouts_by_state", "state"),
)

rollout_parts = table(
    metadata,
    "rollout_parts",
    key("rollout_id", TEXT),
    key("number", INTEGER),
    required("document", BYTES),
)
"""What a rollout's nodes came to, where they are too many for its document."""

documents = table(
    metadata,
    "documents",
    key("kind", TEXT),
    key("name", TEXT),
    required("document", BYTES),
    required("updated_at_s", REAL),
)

labels = table(
    metadata,
    "labels",
    order(),
    required("sample_id", TEXT),
    required("label", TEXT),
    required("labelled_by", TEXT),
    required("labelled_at_s", REAL),
    sa.Index("labels_by_sample", "sample_id", "number"),
)

datasets = table(
    metadata,
    "datasets",
    order(),
    required("name", TEXT),
    required("version", INTEGER),
    required("sha256", TEXT),
    required("samples", INTEGER),
    required("built_at_s", REAL),
    sa.UniqueConstraint("name", "version", name="datasets_once"),
)
