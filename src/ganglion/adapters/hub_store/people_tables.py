"""Tables of people, of programs' tokens, and of the audit chains. They belong to the control database."""

import sqlalchemy as sa

from ganglion.adapters.hub_store.columns import BYTES, INTEGER, REAL, TEXT, key, required, table
from ganglion.adapters.hub_store.control_tables import metadata

accounts = table(
    metadata,
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
)

program_tokens = table(
    metadata,
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
)

audit = table(
    metadata,
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
)

checkpoints = table(
    metadata,
    "checkpoints",
    key("writer", TEXT),
    key("number", INTEGER),
    required("hash", TEXT),
    required("at_ns", INTEGER),
    required("signature", BYTES),
)
