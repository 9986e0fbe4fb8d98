"""A node's keys in memory."""

import threading
from contextlib import AbstractContextManager

from ganglion.adapters.node_keys import RawKey
from ganglion.testing.chance import SeededChance

_KEY_BYTES = 32


class MemoryKeys:
    """Implements `ports.node_keys`; begins with the key of these raw bytes."""

    def __init__(self, raw: bytes = b"\1" * _KEY_BYTES, *, seed: int = 1) -> None:
        self._current, self._next = RawKey(raw), None
        self._chance = SeededChance(seed)
        self._lock = threading.Lock()

    _next: RawKey | None

    def begin(self) -> RawKey:
        return self._current

    def current(self) -> RawKey:
        return self._current

    def upcoming(self) -> RawKey | None:
        return self._next

    def prepare(self) -> RawKey:
        self._next = self._next or RawKey(self._chance.token_bytes(_KEY_BYTES))
        return self._next

    def adopt(self) -> None:
        self._current, self._next = self._next or self._current, None

    def alone(self) -> AbstractContextManager[object]:
        return self._lock
