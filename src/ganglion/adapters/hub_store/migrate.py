"""Bringing a database up to date when it is opened. Each has its own revisions, in migrations/NAME/versions.

All of it happens in one transaction: after a power cut the database is as before or up to date.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ganglion.core.errors import DataTooNew

DatabaseName: TypeAlias = Literal["control", "telemetry"]

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: sa.Connection, name: DatabaseName, path: Path) -> None:
    """Apply the revisions that the database lacks. Raises: DataTooNew: it has one that this release does not know."""
    config = _config(connection, name)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= known:
        unknown = ", ".join(sorted(present - known))
        raise DataTooNew(f"{path} was written by a newer release: revision {unknown} is not known here")
    if present != set(script.get_heads()):
        command.upgrade(config, "head")


def run_revisions() -> None:
    """Run what `upgrade` asked for, on its connection: the whole of each database's env.py."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transactional_ddl=True, render_as_batch=True)
    context.run_migrations()


def _config(connection: sa.Connection, name: DatabaseName) -> Config:
    config = Config(attributes={"connection": connection})
    # The parser behind Config reads % as the start of a variable.
    config.set_main_option("script_location", str(_MIGRATIONS / name).replace("%", "%%"))
    return config
