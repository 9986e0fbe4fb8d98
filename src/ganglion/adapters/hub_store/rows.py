"""Between the rows of the ports and SQL: columns have the names of the fields."""

import functools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R")
Values = dict[str, Any]

_KEYS_MAX = 500


def select(table: sa.Table, kind: "type[DataclassInstance]") -> sa.Select[Any]:
    """Return a query of the columns that make a `kind`, in the order of its fields."""
    return sa.select(*(table.c[field.name] for field in fields(kind)))


def fetch(connection: sa.Connection, query: sa.Select[Any], kind: Callable[..., R]) -> list[R]:
    """Return every row of the query."""
    return [kind(*row) for row in connection.execute(query)]


def fetch_one(connection: sa.Connection, query: sa.Select[Any], kind: Callable[..., R]) -> R | None:
    """Return the row of the query, or None."""
    row = connection.execute(query).one_or_none()
    return None if row is None else kind(*row)


def find(connection: sa.Connection, table: sa.Table, kind: Callable[..., R], /, **equals: str) -> list[R]:
    """Return the rows whose columns have these values, for questions that every request asks.

    Written out and kept: to build and compile such a statement costs several times what it takes to run.
    """
    return [
        kind(*row) for row in connection.exec_driver_sql(_search(table, kind, tuple(equals)), tuple(equals.values()))
    ]


def find_one(connection: sa.Connection, table: sa.Table, kind: Callable[..., R], /, **equals: str) -> R | None:
    """Return the first of the rows that `find` returns, or None."""
    return next(iter(find(connection, table, kind, **equals)), None)


@functools.cache
def _search(table: sa.Table, kind: "type[DataclassInstance]", names: tuple[str, ...]) -> str:
    columns = ", ".join(field.name for field in fields(kind))
    where = " AND ".join(f"{name} = ?" for name in names)
    return f"SELECT {columns} FROM {table.name} WHERE {where}"  # noqa: S608 - names of ours


def add(connection: sa.Connection, table: sa.Table, new: Sequence["DataclassInstance"]) -> None:
    """Insert rows in one call; none may be there already."""
    if new:
        statement, values_of = _insertion(table, type(new[0]))
        driver(connection).executemany(statement, map(values_of, new)).close()


def driver(connection: sa.Connection) -> sqlite3.Connection:
    """Return what is below a connection in a transaction, for the few statements of which there are thousands."""
    below = connection.connection.dbapi_connection
    assert isinstance(below, sqlite3.Connection)
    return below


def add_missing(connection: sa.Connection, table: sa.Table, new: Sequence["DataclassInstance"]) -> None:
    """Insert the rows whose key is not there yet, in one call."""
    if new:
        connection.execute(insert(table).on_conflict_do_nothing(), _all_values(new))


def put(connection: sa.Connection, table: sa.Table, row: "DataclassInstance", *, on: Sequence[str]) -> None:
    """Insert a row, or change the one that has the same values in the columns `on`. Its number and references stay."""
    statement, values_of = _replacement(table, type(row), tuple(on))
    connection.exec_driver_sql(statement, values_of(row))


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield a few keys at a time: a statement takes a limited number of parameters."""
    for start in range(0, len(keys), _KEYS_MAX):
        yield keys[start : start + _KEYS_MAX]


@functools.cache
def _insertion(table: sa.Table, kind: "type[DataclassInstance]") -> tuple[str, Callable[[object], tuple[Any, ...]]]:
    """Return the statement that inserts a `kind`, and what takes its values: records come by tens of thousands."""
    names = [field.name for field in fields(kind)]
    columns, places = ", ".join(names), ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({columns}) VALUES ({places})", attrgetter(*names)  # noqa: S608 - names of ours


@functools.cache
def _replacement(
    table: sa.Table, kind: "type[DataclassInstance]", on: tuple[str, ...]
) -> tuple[str, Callable[[object], tuple[Any, ...]]]:
    """Return the statement that inserts a `kind` or changes it: every report of a node runs one."""
    statement, values_of = _insertion(table, kind)
    changed = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(kind) if field.name not in on)
    return f"{statement} ON CONFLICT ({', '.join(on)}) DO UPDATE SET {changed}", values_of


def _all_values(new: Sequence["DataclassInstance"]) -> list[Values]:
    """Return the fields of many rows of one kind; the names are looked up once."""
    names = [field.name for field in fields(new[0])]
    return [{name: getattr(row, name) for name in names} for row in new]
