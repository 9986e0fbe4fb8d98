"""The history of both databases, for Alembic."""
