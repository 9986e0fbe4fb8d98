"""The first tables of the control database."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, order, required

revision = "0001"
down_revision = None

_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": True}


def upgrade() -> None:
    """Make them."""
    _identity()
    _deployment()
    _feedback()


def _identity() -> None:
    op.create_table("meta", key("key", TEXT), required("value", TEXT), **_STRICT)
    op.create_table("counters", key("name", TEXT), required("value", INTEGER), **_STRICT)
    op.create_table(
        "join_tokens",
        key("token_hash", TEXT),
        required("name", TEXT),
        required("site", TEXT),
        required("zone", TEXT),
        required("expires_at_s", REAL),
        sa.Column("used_at_s", REAL),
        **_STRICT,
    )
    op.create_table(
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
        sa.UniqueConstraint("name", name="nodes_name_once"),
        **_STRICT,
    )
    op.create_table(
        "credentials",
        key("secret_hash", TEXT),
        key("kind", TEXT),
        required("subject", TEXT),
        sa.Column("expires_at_s", REAL),
        sa.Index("credentials_by_kind", "kind"),
        sa.Index("credentials_by_expiry", "expires_at_s"),
        **_STRICT,
    )


def _deployment() -> None:
    op.create_table(
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
        **_STRICT,
    )
    op.create_table(
        "assignments",
        sa.Column("node_id", TEXT, sa.ForeignKey("nodes.node_id"), primary_key=True, nullable=False),
        key("model", TEXT),
        required("version", TEXT),
        required("variant", TEXT),
        required("rollout_id", TEXT),
        required("policy", BYTES),
        sa.Index("assignments_by_model", "model"),
        **_STRICT,
    )
    op.create_table(
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
        **_STRICT,
    )


def _feedback() -> None:
    op.create_table(
        "labels",
        order(),
        required("sample_id", TEXT),
        required("label", TEXT),
        required("labelled_by", TEXT),
        required("labelled_at_s", REAL),
        sa.Index("labels_by_sample", "sample_id", "number"),
        **_STRICT,
    )
    op.create_table(
        "datasets",
        order(),
        required("name", TEXT),
        required("version", INTEGER),
        required("sha256", TEXT),
        required("samples", INTEGER),
        required("built_at_s", REAL),
        sa.UniqueConstraint("name", "version", name="datasets_once"),
        **_STRICT,
    )
