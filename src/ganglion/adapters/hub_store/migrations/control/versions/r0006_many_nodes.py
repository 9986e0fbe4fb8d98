"""An index of when nodes were last heard of, and a table for the nodes of large rollouts."""

from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, TEXT, key, required

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add both. Rollouts of before hold their nodes in their documents, and may go on doing so."""
    op.create_index("nodes_by_last_seen", "nodes", ["last_seen_at_s", "node_id"])
    op.create_table(
        "rollout_parts",
        key("rollout_id", TEXT),
        key("number", INTEGER),
        required("document", BYTES),
        sqlite_strict=True,
    )
