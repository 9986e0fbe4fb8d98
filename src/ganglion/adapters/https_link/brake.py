"""Holds a download back to a rate: what is not read waits in the network, and the sender slows down."""

from collections.abc import Callable

from ganglion.ports.clock import Clock

_PIECES_PER_S = 4
"""So often within a second it is asked whether the bytes are still wanted."""


class Brake:
    """A token bucket that holds one piece: nothing is saved up while the line is slower than it may be."""

    def __init__(self, clock: Clock, bytes_per_s_max: int, pause: Callable[[float], object]) -> None:
        """`bytes_per_s_max` 0 brakes nothing; `pause` waits for so many seconds."""
        self._clock, self._rate, self._pause = clock, bytes_per_s_max, pause
        self._free_at_s = clock.monotonic_s()

    def piece_bytes(self, most: int) -> int:
        """Return how many bytes to read at a time, `most` at most."""
        return min(most, max(1, self._rate // _PIECES_PER_S)) if self._rate else most

    def took(self, size_bytes: int) -> None:
        """Count bytes that were read, and wait until the next may be."""
        if not self._rate:
            return
        now_s = self._clock.monotonic_s()
        self._free_at_s = max(self._free_at_s, now_s) + size_bytes / self._rate
        self._pause(self._free_at_s - now_s)
