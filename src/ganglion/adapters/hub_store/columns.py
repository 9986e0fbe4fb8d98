"""The four column types, and tables that hold them strictly.

SQLite keeps any value in any column unless a table is STRICT; Postgres is strict anyway. The variants
say for each engine what the type is called there.
"""

from typing import Any

import sqlalchemy as sa

TEXT = sa.Text()
BYTES = sa.LargeBinary()
INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits on both engines: nanoseconds and sequence numbers fit."""
REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")


def table(metadata: sa.MetaData, name: str, *items: sa.schema.SchemaItem, clustered: bool = False) -> sa.Table:
    """Return a strict table. A `clustered` one lies on disk in the order of its primary key, without a second index."""
    return sa.Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=not clustered)


def required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    """Return a column that is never null."""
    return sa.Column(name, kind, nullable=False)


def key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    """Return a column of the primary key; the database never makes its value."""
    return sa.Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def order() -> sa.Column[Any]:
    """Return the column that numbers rows as they come, so that "newest" does not hang on a clock."""
    return sa.Column("number", INTEGER, primary_key=True, autoincrement=True)
