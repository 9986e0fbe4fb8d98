"""The control database: implements `ports.hub_store`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from ganglion.adapters.hub_store import control_tables as tables
from ganglion.adapters.hub_store.database import Database, StoreLimits, open_database
from ganglion.adapters.hub_store.deployment import DeploymentRows
from ganglion.adapters.hub_store.documents import DocumentRows
from ganglion.adapters.hub_store.feedback import FeedbackRows
from ganglion.adapters.hub_store.identity import IdentityRows
from ganglion.adapters.hub_store.many_nodes import ManyNodes
from ganglion.adapters.hub_store.node_search import NodeSearch
from ganglion.adapters.hub_store.people import PeopleRows
from ganglion.ports.hub_store import ControlTransaction

_REVISION = "desired_revision"


class ControlRows(IdentityRows, NodeSearch, ManyNodes, DeploymentRows, DocumentRows, FeedbackRows, PeopleRows):
    """Everything that one transaction can ask of the control database."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)

    def meta(self, key: str) -> str | None:
        """Return the value kept under `key`."""
        found = self._connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (key,))
        value: str | None = found.scalar_one_or_none()
        return value

    def set_meta(self, key: str, value: str) -> None:
        """Keep `value` under `key`."""
        statement = insert(tables.meta).values(key=key, value=value)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    def next_revision(self, *, step: int = 1) -> int:
        """Return a desired-state revision higher than any before, by `step`."""
        higher = {"value": tables.counters.c.value + step}
        statement = insert(tables.counters).values(name=_REVISION, value=step)
        counted = statement.on_conflict_do_update(index_elements=["name"], set_=higher)
        revision: int = self._connection.execute(counted.returning(tables.counters.c.value)).scalar_one()
        return revision


class ControlDatabase:
    """The control database, open. Safe to use from many threads; one thread writes at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator[ControlTransaction]:
        """Open a transaction that sees one moment."""
        with self._database.reading() as connection:
            yield ControlRows(connection)

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[ControlTransaction]:
        """Open the one writing transaction; others wait. Raises: DiskUnusable, Overloaded."""
        with self._database.writing(lasting=lasting) as connection:
            yield ControlRows(connection)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def open_control(path: Path, *, limits: StoreLimits | None = None) -> ControlDatabase:
    """Open or make the control database, and bring it up to date.

    Raises: DataTooNew, DataCorrupt, DiskUnusable.
    """
    return ControlDatabase(open_database(path, "control", limits or StoreLimits()))
