"""What people call nodes by, and what they declare by name. Nodes of before have no labels."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, REAL, TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("nodes", sa.Column("labels", BYTES, nullable=False, server_default=sa.text("x'7b7d'")))
    op.create_table(
        "documents",
        sa.Column("kind", TEXT, primary_key=True, nullable=False),
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("document", BYTES, nullable=False),
        sa.Column("updated_at_s", REAL, nullable=False),
        sqlite_strict=True,
    )
