"""A bounded memory of what was worked out before. Whoever sends the same form again pays for one look-up."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """A dictionary with a limit. When full: drop the oldest."""

    __slots__ = ("_entries", "_entries_max", "get")

    def __init__(self, entries_max: int) -> None:
        self._entries: dict[K, V] = {}
        self._entries_max = entries_max
        self.get: Callable[[K], V | None] = self._entries.get

    def __len__(self) -> int:
        return len(self._entries)

    def remember(self, key: K, value: V) -> None:
        """Keep `value` under `key` until newer entries push it out."""
        if key not in self._entries and len(self._entries) >= self._entries_max:
            if not self._entries:
                return  # A limit of 0: nothing is kept.
            del self._entries[next(iter(self._entries))]
        self._entries[key] = value
