"""Alembic runs this file by its path for every upgrade."""

from ganglion.adapters.hub_store.migrate import run_revisions

run_revisions()
