"""An index of what nodes told of rollouts, in the order in which it came."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add it."""
    op.create_index("events_of_rollouts", "events", ["rollout_id"], sqlite_where=sa.text("rollout_id != ''"))
