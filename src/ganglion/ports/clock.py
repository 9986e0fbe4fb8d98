"""Time and chance, as arguments: the simulation gives its own."""

from typing import Protocol


class Clock(Protocol):
    """Two kinds of time: one for records, one for durations."""

    def utc_ns(self) -> int:
        """Return wall-clock time, UTC, nanoseconds since 1970. It may jump; only records carry it."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        ...


class Chance(Protocol):
    """Randomness that no other party can guess, and shares for sampling and jitter."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        ...

    def share(self) -> float:
        """Return a number in [0, 1)."""
        ...


def utc_s(clock: Clock) -> float:
    """Return wall-clock time in seconds since 1970."""
    return clock.utc_ns() / 1e9


def new_id(chance: Chance) -> str:
    """Return a new identifier: 128 random bits in hexadecimal."""
    return chance.token_bytes(16).hex()
