"""The hub's two databases in memory: one writer, readers that see one moment, and roll back on an exception."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from ganglion.core.errors import DiskUnusable
from ganglion.testing.memory_control import ControlTables, MemoryControlTransaction
from ganglion.testing.memory_draft import Draft
from ganglion.testing.memory_telemetry import MemoryTelemetryTransaction, TelemetryTables

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WRITER_WAIT_S = 10.0
T = TypeVar("T", bound="DataclassInstance")


class _MemoryStore(Generic[T]):
    """Holds a dataclass whose fields are dictionaries of values. Set `disk_full` to make every commit fail."""

    def __init__(self, tables: T) -> None:
        self._committed = self._on_disk = tables
        self._writer = threading.Lock()
        self.disk_full = False

    def close(self) -> None:
        """Do nothing: memory needs no closing."""

    def cut_power(self) -> None:
        """Forget what was committed after the last commit that had to last."""
        self._committed = self._on_disk

    @contextmanager
    def _reading(self) -> Iterator[T]:
        """Show what is committed now, whatever is committed meanwhile; whoever writes to it fails."""
        yield _each(self._committed, MappingProxyType)

    @contextmanager
    def _writing(self, *, lasting: bool = True) -> Iterator[T]:
        """Change a draft and commit it at the end; an exception leaves everything as it was."""
        assert self._writer.acquire(timeout=_WRITER_WAIT_S), "a write transaction was opened inside another"
        try:
            draft = _each(self._committed, Draft)
            yield draft
            if self.disk_full:
                raise DiskUnusable("the disk of the memory store is full")
            self._committed = _each(draft, Draft.written)
            if lasting:
                self._on_disk = self._committed
        finally:
            self._writer.release()


class MemoryControlStore(_MemoryStore[ControlTables]):
    """A control store that lives as long as the object."""

    def __init__(self) -> None:
        super().__init__(ControlTables())

    @contextmanager
    def read(self) -> Iterator[MemoryControlTransaction]:
        """Open a transaction that sees one moment."""
        with self._reading() as tables:
            yield MemoryControlTransaction(tables)

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[MemoryControlTransaction]:
        """Open the one writing transaction. Raises: DiskUnusable."""
        with self._writing(lasting=lasting) as tables:
            yield MemoryControlTransaction(tables)


class MemoryTelemetryStore(_MemoryStore[TelemetryTables]):
    """A telemetry store that lives as long as the object."""

    def __init__(self) -> None:
        super().__init__(TelemetryTables())

    @contextmanager
    def read(self) -> Iterator[MemoryTelemetryTransaction]:
        """Open a transaction that sees one moment."""
        with self._reading() as tables:
            yield MemoryTelemetryTransaction(tables)

    @contextmanager
    def write(self) -> Iterator[MemoryTelemetryTransaction]:
        """Open the one writing transaction. Raises: DiskUnusable."""
        with self._writing() as tables:
            yield MemoryTelemetryTransaction(tables)


def _each(tables: T, of: Callable[..., Mapping[object, object]]) -> T:
    """Return tables with `of` each dictionary: their values are never changed in place."""
    return type(tables)(*(of(getattr(tables, column)) for column in tables.__dataclass_fields__))
