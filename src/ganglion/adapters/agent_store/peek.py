"""Looks into the agent's database from another process, and changes nothing in it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ganglion.core.errors import DataCorrupt


@dataclass(frozen=True, slots=True)
class Peeked:
    """What was found."""

    state: bytes | None
    waiting: int
    waiting_bytes: int
    oldest_at_ns: int | None
    """Event time of the oldest record that waits."""
    shed: dict[str, int]
    """Records given up so far, by number of the class."""


def peek(path: Path) -> Peeked | None:
    """Return what the database holds, or None when there is none. Raises: DataCorrupt: it cannot be read."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as database:
            return _read(database)
    except sqlite3.Error as error:
        raise DataCorrupt(f"{path}: {error}") from error


def _read(database: sqlite3.Connection) -> Peeked:
    row = database.execute("select value from meta where key = 'state'").fetchone()
    waiting, size, oldest = database.execute("select count(*), sum(size), min(at_ns) from record").fetchone()
    shed = dict(database.execute("select class, records from shed").fetchall())
    return Peeked(
        state=row[0] if row and isinstance(row[0], bytes) else None,
        waiting=waiting,
        waiting_bytes=size or 0,
        oldest_at_ns=oldest,
        shed={str(number): count for number, count in shed.items()},
    )
