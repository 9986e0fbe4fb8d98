"""Opening a database file, and its transactions: many readers that see one moment each, one writer.

The writer's pool has a single connection, which makes it the lock within the process; BEGIN IMMEDIATE
is the lock between processes. `synchronous=FULL` syncs each commit: what was acknowledged survives a power cut.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ganglion.adapters.hub_store import migrate
from ganglion.adapters.hub_store.faults import damaged, translated
from ganglion.core.errors import DiskUnusable


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each of the hub's databases."""

    readers_max: int = 16
    """Transactions that read at the same time; more wait."""
    wait_s: float = 20.0
    """How long a transaction waits for its turn before the caller is told that the hub is overloaded."""
    log_kept_bytes: int = 64_000_000
    """Size to which the write-ahead log is cut back after a checkpoint."""


class Database:
    """One file, open for as long as the hub runs. Safe to use from many threads."""

    def __init__(self, path: Path, limits: StoreLimits) -> None:
        self.path = path
        self._writer = _engine(path, limits, writes=True)
        self._readers = _engine(path, limits, writes=False)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that sees one moment, the one of its first query."""
        with translated(self.path), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[sa.Connection]:
        """Open the one transaction that writes. It is durable when the block is left without an exception.

        What is not `lasting` survives a killed process, and a power cut only from the next lasting transaction on. It
        waits for no disk: a thousand of them take no longer than their computing.
        """
        with translated(self.path), self._writer.connect() as connection:
            # Before the transaction begins: within one the pragma has no effect.
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}").close()
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        self._readers.dispose()
        self._writer.dispose()


def open_database(path: Path, name: migrate.DatabaseName, limits: StoreLimits) -> Database:
    """Open or make the file, check it, and bring its tables up to date.

    Raises: DataTooNew, DataCorrupt, DiskUnusable.
    """
    _make_private(path)
    database = Database(path, limits)
    try:
        with database.writing() as connection:
            _check(path, name, connection)
            migrate.upgrade(connection, name, path)
    except BaseException:
        database.close()
        raise
    return database


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, which would let others read it; log and index take over its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DiskUnusable(f"{path}: {error.strerror}") from error


def _check(path: Path, name: migrate.DatabaseName, connection: sa.Connection) -> None:
    """Look at every page of the control database; telemetry grows so large that this would delay the start."""
    if name == "control":
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if verdict != "ok":
            raise damaged(path, str(verdict))


def _engine(path: Path, limits: StoreLimits, *, writes: bool) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=1 if writes else limits.readers_max,
        max_overflow=0,
        pool_timeout=limits.wait_s,
        connect_args={"timeout": limits.wait_s},
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        # The driver's own transaction control begins too late for a snapshot and never with IMMEDIATE.
        connection.isolation_level = None
        for pragma in _pragmas(limits, writes=writes):
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _pragmas(limits: StoreLimits, *, writes: bool) -> tuple[str, ...]:
    if not writes:
        return ("query_only=ON",)
    return (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"journal_size_limit={limits.log_kept_bytes}",
    )
