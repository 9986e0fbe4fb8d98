"""What goes wrong inside SQLite, in our words. Nothing of SQLAlchemy leaves this package."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy.exc

from ganglion.core.errors import Conflict, DataCorrupt, DiskUnusable, GanglionError, Overloaded

_PRIMARY = 0xFF
"""An extended result code has the primary one in its low byte."""
_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WAIT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_TWICE = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our error for every foreign one. Only the engine's own words are quoted: parameters may be secret."""
    try:
        yield
    except sqlalchemy.exc.TimeoutError as error:
        raise Overloaded(f"{path}: too many wait for the database") from error
    except sqlalchemy.exc.DBAPIError as error:
        raise _fault(path, error.orig) from error
    except sqlite3.Error as error:
        raise _fault(path, error) from error
    except UnicodeDecodeError as error:
        # SQLite quotes the damaged schema in its error, and the driver expects text.
        raise damaged(path, "its schema cannot be read") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise GanglionError(f"{path}: the database layer failed with {type(error).__name__}") from error


def _fault(path: Path, error: BaseException | None) -> GanglionError:
    extended = getattr(error, "sqlite_errorcode", 0)
    if extended in _TWICE:
        return Conflict(f"it exists already: {error}")
    code = extended & _PRIMARY
    if code in _DISK:
        return DiskUnusable(f"{path}: {error}")
    if code in _DAMAGE:
        return damaged(path, str(error))
    if code in _WAIT:
        return Overloaded(f"{path}: {error}")
    return GanglionError(f"{path}: {error}")


def damaged(path: Path, reason: str) -> DataCorrupt:
    """Return the error for a database that cannot be read. It stays where it is: an empty one would hide the loss."""
    return DataCorrupt(f"{path}: {reason}; it was left as it is: put a backup in its place")
