"""The file below the agent's store: opened, checked, and every refusal of SQLite in our words.

Durability: synchronous=FULL in WAL mode, so a committed transaction survives power loss. A file that is
damaged is `DataCorrupt`, when it is opened or later; whoever opens it decides what becomes of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganglion.core.errors import DataCorrupt, DataTooNew, DiskUnusable

SCHEMA = 2

_TABLES = """
create table if not exists meta (key text primary key, value) without rowid;
create table if not exists record (
    seq integer primary key, class integer not null, at_ns integer not null, payload blob not null,
    size integer not null, worth integer not null default 0
);
create index if not exists record_worth on record (class, worth, seq);
create table if not exists shed (class integer primary key, records integer not null);
create table if not exists made (class integer primary key, records integer not null);
create table if not exists refused (class integer not null, at_ns integer not null, payload blob not null, reason text);
"""
_FROM_1 = """
alter table record add column worth integer not null default 0;
drop index if exists record_class;
"""
"""Schema 1 shed the oldest of a class first, whatever they were worth."""


class Database:
    """One connection, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self.errors():
            self.connection = _open(path)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Say in our words what SQLite says in its own. Raises: DataCorrupt, DiskUnusable."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.OperationalError as error:
            raise DiskUnusable(f"{self._path}: {error}") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # The driver expects text where SQLite quotes a damaged schema.
            raise DataCorrupt(f"{self._path}: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Be durable when the block is left, and undone on any error. Raises: DataCorrupt, DiskUnusable."""
        with self.errors():
            self.connection.execute("begin immediate")
            try:
                yield
                self.connection.execute("commit")
            except BaseException:
                # What failed first is what the caller should hear of.
                with suppress(sqlite3.Error):
                    self.connection.execute("rollback")
                raise

    def meta(self, key: str) -> object:
        """Return the value kept under `key`, or None."""
        row = self.connection.execute("select value from meta where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, key: str, value: str | int | bytes) -> None:
        """Keep `value` under `key`."""
        self.connection.execute(
            "insert into meta values (?, ?) on conflict (key) do update set value = excluded.value", (key, value)
        )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    try:
        version = _version(path, connection)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        # Written only when new: an agent must come back on a full disk, to report and to empty the outbox.
        if version < SCHEMA:
            # In one transaction: a power cut leaves the old schema or the new one.
            connection.executescript(
                f"begin immediate; {_FROM_1 if version == 1 else ''} {_TABLES} pragma user_version = {SCHEMA}; commit;"
            )
        _check(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(path: Path, connection: sqlite3.Connection) -> int:
    version: int = connection.execute("pragma user_version").fetchone()[0]
    if version > SCHEMA:
        raise DataTooNew(f"{path} has schema {version}; this release knows up to {SCHEMA}")
    return version


def _check(path: Path, connection: sqlite3.Connection) -> None:
    """Look at every page: what is damaged is better found now than in the middle of an update."""
    (verdict,) = connection.execute("pragma quick_check(1)").fetchone()
    if verdict != "ok":
        raise DataCorrupt(f"{path}: {verdict}")
