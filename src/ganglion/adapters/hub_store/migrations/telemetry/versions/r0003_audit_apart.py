"""Audit records of nodes in a table of their own: they stay longer than results."""

from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, TEXT, key, required

revision = "0003"
down_revision = "0002"

_COLUMNS = "node_id, epoch, seq, record_class, at_ns, received_at_ns, payload, corrected_at_ns"


def upgrade() -> None:
    """Move what is stored already, in the order in which it came."""
    op.create_table(
        "audit_records",
        key("node_id", TEXT),
        key("epoch", TEXT),
        key("seq", INTEGER),
        required("record_class", INTEGER),
        required("at_ns", INTEGER),
        required("received_at_ns", INTEGER),
        required("payload", BYTES),
        required("corrected_at_ns", INTEGER),
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    moved = f"SELECT {_COLUMNS} FROM records WHERE record_class = 0 ORDER BY rowid"  # noqa: S608 - names from above
    op.execute(f"INSERT INTO audit_records ({_COLUMNS}) {moved}")
    op.execute("DELETE FROM records WHERE record_class = 0")
