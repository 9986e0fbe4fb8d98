"""When a version that takes its process down is not loaded any more."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

WINDOW_S = 3600.0
"""Deaths longer ago than this are forgotten: one a week is no loop."""

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Deaths(Generic[T]):
    """Which versions were running when the process died, and when that was by the monotonic clock."""

    times: tuple[tuple[T, float], ...] = ()
    quarantined: frozenset[T] = frozenset()

    def after(self, suspects: Collection[T], *, now_s: float, deaths_max: int) -> "Deaths[T]":
        """Return the tally after one more death. With `deaths_max` 0 nothing is ever quarantined.

        Each suspect counts: without knowing which of two versions it was, going on with neither is the safe choice,
        and the innocent one comes back with the next start by a person.
        """
        recent = (*((each, at_s) for each, at_s in self.times if now_s - at_s <= WINDOW_S),)
        times = (*recent, *((suspect, now_s) for suspect in suspects))
        counts = {suspect: sum(each == suspect for each, _ in times) for suspect in suspects}
        over = {suspect for suspect, number in counts.items() if 0 < deaths_max <= number}
        return Deaths(times, self.quarantined | over)
