"""Indexes with which nodes are selected without reading what they reported, and labels that come with a join token."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES

revision = "0005"
down_revision = "0004"

_SELECTED = (
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
)


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column("join_tokens", sa.Column("labels", BYTES, nullable=False, server_default=sa.text("x'7b7d'")))
    op.create_index("nodes_to_select", "nodes", list(_SELECTED))
    op.create_index("nodes_by_place", "nodes", ["site", "zone", "revoked_at_s", "retired_at_s"])
