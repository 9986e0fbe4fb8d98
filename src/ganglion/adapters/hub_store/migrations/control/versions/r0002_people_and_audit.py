"""Accounts with roles and passwords, tokens of programs, and the audit chains. Accounts of before are admins."""

import sqlalchemy as sa
from alembic import op

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, required

revision = "0002"
down_revision = "0001"

_STRICT = {"sqlite_strict": True, "sqlite_with_rowid": True}
_PROMOTE = """
INSERT INTO accounts (name, role, sites, models, password_hash, login, generation, created_at_s)
SELECT DISTINCT subject, 'admin', '', '', '', '', 1, 0.0 FROM credentials WHERE kind = 'account'
"""
# They were bound to the token that opened them, and are now bound to the account.
_END_SESSIONS = "DELETE FROM credentials WHERE kind = 'session'"


def upgrade() -> None:
    """Make the tables, and a row for each account that had only a token."""
    _people()
    _audit()
    op.execute(_PROMOTE)
    op.execute(_END_SESSIONS)


def _people() -> None:
    op.create_table(
        "accounts",
        key("name", TEXT),
        required("role", TEXT),
        required("sites", TEXT),
        required("models", TEXT),
        required("password_hash", TEXT),
        required("login", TEXT),
        required("generation", INTEGER),
        required("created_at_s", REAL),
        sa.Column("disabled_at_s", REAL),
        **_STRICT,
    )
    op.create_table(
        "program_tokens",
        key("token_id", TEXT),
        required("name", TEXT),
        required("secret_hash", TEXT),
        required("role", TEXT),
        required("sites", TEXT),
        required("models", TEXT),
        required("created_by", TEXT),
        required("created_at_s", REAL),
        required("expires_at_s", REAL),
        sa.Column("last_used_at_s", REAL),
        sa.Column("revoked_at_s", REAL),
        sa.UniqueConstraint("secret_hash", name="program_tokens_once"),
        **_STRICT,
    )


def _audit() -> None:
    op.create_table(
        "audit",
        key("writer", TEXT),
        key("number", INTEGER),
        required("at_ns", INTEGER),
        required("actor", TEXT),
        required("action", TEXT),
        required("subject", TEXT),
        required("hash", TEXT),
        required("document", BYTES),
        sa.Index("audit_by_time", "at_ns"),
        sa.Index("audit_by_actor", "actor", "at_ns"),
        **_STRICT,
    )
    op.create_table(
        "checkpoints",
        key("writer", TEXT),
        key("number", INTEGER),
        required("hash", TEXT),
        required("at_ns", INTEGER),
        required("signature", BYTES),
        **_STRICT,
    )
