"""Transactions that wait for the disk, and those that leave it to the next one."""

from pathlib import Path

import pytest

from ganglion.adapters.hub_store.database import StoreLimits, open_database

_FULL, _NORMAL = 2, 1
"""What SQLite answers to PRAGMA synchronous."""


def test_only_what_was_asked_for_waits_for_the_disk(tmp_path: Path) -> None:
    database = open_database(tmp_path / "control.db", "control", StoreLimits())
    seen = []

    for lasting in (True, False, True):
        with database.writing(lasting=lasting) as connection:
            seen.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    with pytest.raises(ZeroDivisionError), database.writing(lasting=False):
        seen.append(1 // 0)
    with database.writing() as connection:
        seen.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    assert seen == [_FULL, _NORMAL, _FULL, _FULL]
    database.close()


def test_what_does_not_last_is_there_for_everybody_and_goes_with_an_exception(tmp_path: Path) -> None:
    database = open_database(tmp_path / "control.db", "control", StoreLimits())

    with database.writing(lasting=False) as connection:
        connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', '1')")
    with pytest.raises(ZeroDivisionError), database.writing(lasting=False) as connection:
        connection.exec_driver_sql(f"INSERT INTO meta (key, value) VALUES ('b', '{1 // 0}')")
    with database.reading() as connection:
        keys = [row[0] for row in connection.exec_driver_sql("SELECT key FROM meta WHERE key IN ('a', 'b')")]

    assert keys == ["a"]
    database.close()
