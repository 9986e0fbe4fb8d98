"""Sets of whole numbers as intervals: a million records in a row cost as much as one."""

from bisect import bisect_right
from collections.abc import Iterator


class Intervals:
    """A set that only grows, mostly at its end."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.size = 0
        """How many numbers are in it."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (first, one behind the last) in ascending order."""
        return iter(zip(self._starts, self._ends, strict=True))

    def copy(self) -> "Intervals":
        """Return a set of its own with the same numbers."""
        other = Intervals()
        other._starts, other._ends, other.size = self._starts.copy(), self._ends.copy(), self.size
        return other

    def add(self, first: int, count: int) -> int:
        """Add `count` numbers from `first` on, and return how many of them were in it already."""
        end = first + count
        if not self._starts or first > self._ends[-1]:
            self._starts.append(first)
            self._ends.append(end)
            self.size += count
            return 0
        if first == self._ends[-1]:
            self._ends[-1] = end
            self.size += count
            return 0
        return self._insert(first, end)

    def overlap(self, first: int, count: int) -> int:
        """Return how many of `count` numbers from `first` on are in it."""
        end, found = first + count, 0
        place = max(0, bisect_right(self._starts, first) - 1)
        while place < len(self._starts) and self._starts[place] < end:
            found += max(0, min(end, self._ends[place]) - max(first, self._starts[place]))
            place += 1
        return found

    def without(self, other: "Intervals") -> "Intervals":
        """Return the numbers that are not in `other`."""
        left = Intervals()
        for first, end in self:
            at = first
            for begin, stop in other:
                if stop <= at or begin >= end:
                    continue
                if begin > at:
                    left.add(at, begin - at)
                at = max(at, stop)
            if at < end:
                left.add(at, end - at)
        return left

    def _insert(self, first: int, end: int) -> int:
        known = self.overlap(first, end - first)
        low = bisect_right(self._starts, first)
        # The one before may reach to, or touch, the first number.
        if low and self._ends[low - 1] >= first:
            low -= 1
        high = low
        while high < len(self._starts) and self._starts[high] <= end:
            high += 1
        if low < high:
            first, end = min(first, self._starts[low]), max(end, self._ends[high - 1])
        self.size += end - first - sum(self._ends[i] - self._starts[i] for i in range(low, high))
        self._starts[low:high], self._ends[low:high] = [first], [end]
        return known
