"""What one interactive session holds between a person and a node: bytes on their way, within bounds. No I/O.

Both sides may say anything twice: output is told by offsets, input by numbers.
"""

from collections import deque
from typing import Final

from ganglion.core.errors import InvalidRequest
from ganglion.wire.shells import PIECE_BYTES_MAX, ShellTyped

_ITEM_BYTES: Final = 64
"""What an input counts beside its bytes: endless changes of size must not fill the memory."""


class Output:
    """What was shown and not read yet. Not for several threads at once."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max, self._begin, self._data = bytes_max, 0, bytearray()

    @property
    def end(self) -> int:
        """How much was shown so far."""
        return self._begin + len(self._data)

    def take(self, offset: int, data: bytes) -> int:
        """Take what is new of it and has room; return up to where everything is here.

        Raises: InvalidRequest: there would be a gap.
        """
        if offset > self.end or offset < 0:
            raise InvalidRequest(f"output from {offset} on was sent, and {self.end} is next")
        fresh = data[self.end - offset :]
        self._data += fresh[: self._bytes_max - len(self._data)]
        return self.end

    def after(self, offset: int) -> bytes:
        """Return what follows, one piece of it, and forget what comes before.

        Raises: InvalidRequest: it was forgotten, or not shown yet.
        """
        if not self._begin <= offset <= self.end:
            raise InvalidRequest(f"output from {offset} on was asked for; {self._begin} to {self.end} is here")
        del self._data[: offset - self._begin]
        self._begin = offset
        return bytes(self._data[:PIECE_BYTES_MAX])


class Input:
    """What was typed and not taken yet. Not for several threads at once."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max, self._size_bytes, self._last = bytes_max, 0, 0
        self._waiting: deque[ShellTyped] = deque()

    def put(self, typed: ShellTyped) -> bool:
        """Keep it for the node. False: there is no room. Raises: InvalidRequest: too large, or out of order."""
        if len(typed.data) > PIECE_BYTES_MAX:
            raise InvalidRequest(f"{len(typed.data)} bytes at once, at most {PIECE_BYTES_MAX} are taken")
        if typed.number <= self._last:
            return True
        if typed.number != self._last + 1:
            raise InvalidRequest(f"input {typed.number} was sent, and {self._last + 1} is next")
        if self._size_bytes + _size_of(typed) > self._bytes_max:
            return False
        self._waiting.append(typed)
        self._size_bytes += _size_of(typed)
        self._last = typed.number
        return True

    def after(self, number: int) -> tuple[ShellTyped, ...]:
        """Return what follows, as much as one message carries, and forget what comes before."""
        while self._waiting and self._waiting[0].number <= number:
            self._size_bytes -= _size_of(self._waiting.popleft())
        found: list[ShellTyped] = []
        size_bytes = 0
        for typed in self._waiting:
            size_bytes += _size_of(typed)
            if found and size_bytes > PIECE_BYTES_MAX:
                break
            found.append(typed)
        return tuple(found)


def _size_of(typed: ShellTyped) -> int:
    return len(typed.data) + _ITEM_BYTES
