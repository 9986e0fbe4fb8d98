"""A table that a transaction may write to: of most tables it changes nothing, and those need no copy."""

from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Draft(MutableMapping[K, V]):
    """The rows of a dictionary, which is copied before the first change and never changed itself."""

    __slots__ = ("_is_own", "_rows")

    def __init__(self, rows: dict[K, V]) -> None:
        self._rows = rows
        self._is_own = False

    def written(self) -> dict[K, V]:
        """Return the rows with every change."""
        return self._rows

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __setitem__(self, key: K, value: V) -> None:
        self._own()[key] = value

    def __delitem__(self, key: K) -> None:
        del self._own()[key]

    # Views of the dictionary itself: those of a mapping ask for row after row.
    def keys(self) -> KeysView[K]:
        return self._rows.keys()

    def values(self) -> ValuesView[V]:
        return self._rows.values()

    def items(self) -> ItemsView[K, V]:
        return self._rows.items()

    def _own(self) -> dict[K, V]:
        if not self._is_own:
            self._rows, self._is_own = dict(self._rows), True
        return self._rows
