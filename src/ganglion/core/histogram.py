"""Latency and size figures as base-2 exponential histograms of scale 5.

Bucket i counts values in (2^(i/32), 2^((i+1)/32)], so a quantile is off by at most 1.1 % of its
value, and merging is integer addition: exact, in any order. Averages of percentiles are never made.
Source: OpenTelemetry exponential histogram, data model, scale 5.
"""

import functools
import math

import msgspec

from ganglion.core.errors import InvalidRequest, Rejected

SCALE = 5
_PER_OCTAVE = 1 << SCALE
_INDEX_MIN, _VALUE_MAX = -40 * _PER_OCTAVE, 2.0**64
_INDEX_LAST, _COUNT_MAX = 64 * _PER_OCTAVE, 2**53
_REMEMBERED = 4096
"""Most values are whole microseconds, and come again and again."""


class Histogram(msgspec.Struct, gc=False):
    """Counts of positive values. Mutable: `add` and `merge` work in place. The owner's field name has the unit."""

    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    zeros: int = 0
    total: float = 0.0

    def add(self, value: float, count: int = 1) -> None:
        """Count `value` (>= 0) `count` times; NaN and negative values count as zero, those over 2^64 as 2^64."""
        if not value > 0.0:
            self.zeros += count
            return
        value = min(value, _VALUE_MAX)
        index = _index_of(value)
        self.buckets[index] = self.buckets.get(index, 0) + count
        self.total += value * count

    def merge(self, other: "Histogram") -> None:
        """Add `other`'s counts to this one."""
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count
        self.zeros += other.zeros
        self.total += other.total

    def check(self) -> None:
        """Refuse what adding values never makes. Raises: InvalidRequest."""
        counts, indices = (self.zeros, *self.buckets.values()), self.buckets.keys()
        if not (min(counts) >= 0 and max(counts) <= _COUNT_MAX and 0.0 <= self.total < math.inf):
            raise InvalidRequest("the counts of a histogram are not negative and finite")
        if any(not _INDEX_MIN <= index <= _INDEX_LAST for index in indices):
            raise InvalidRequest("a histogram has buckets that no value falls into")

    @property
    def count(self) -> int:
        """How many values were added."""
        return self.zeros + sum(self.buckets.values())

    def quantile(self, share: float) -> float:
        """Return a value that a `share` of the values did not exceed, within 1.1 %.

        Raises: Rejected: nothing was counted, or `share` is outside [0, 1].
        """
        if not 0.0 <= share <= 1.0:
            raise Rejected(f"a quantile of {share} does not exist: the share lies between 0 and 1")
        total = self.count
        if total == 0:
            raise Rejected("a quantile of nothing does not exist: no value was counted")
        rank = max(1, math.ceil(share * total))
        seen = self.zeros
        if seen >= rank:
            return 0.0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen >= rank:
                return float(2.0 ** ((index + 0.5) / _PER_OCTAVE))
        raise AssertionError("the ranks add up to the count")


@functools.lru_cache(maxsize=_REMEMBERED)
def _index_of(value: float) -> int:
    return max(math.ceil(math.log2(value) * _PER_OCTAVE) - 1, _INDEX_MIN)
