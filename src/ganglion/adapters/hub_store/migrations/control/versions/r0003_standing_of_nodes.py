"""Where nodes stand, and how they change keys. Nodes of before have their first key, and stand as they stood."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, REAL, TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    for name in ("next_public_key", "former_public_keys", "quarantine_reason"):
        op.add_column("nodes", sa.Column(name, TEXT, nullable=False, server_default=""))
    op.add_column("nodes", sa.Column("measured", BYTES, nullable=False, server_default=sa.text("x''")))
    for name in ("key_since_at_s", "rekey_asked_at_s", "quarantined_at_s", "admitted_at_s", "retired_at_s"):
        op.add_column("nodes", sa.Column(name, REAL))
