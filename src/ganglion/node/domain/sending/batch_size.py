"""How much goes into the next batch: half as much after trouble, twice as much after success, within limits.

A slow or lossy link gets batches that it carries within a request's time; a batch that the hub refuses is cut in
two until the record that it does not want is alone.
"""

from dataclasses import dataclass, replace

_GROWTH = 2


@dataclass(frozen=True, slots=True)
class BatchSize:
    """The size of the next batch, and the largest one. A value: each outcome gives the next one."""

    records_max: int
    bytes_max: int
    records: int
    bytes: int

    @classmethod
    def largest(cls, *, records_max: int, bytes_max: int) -> "BatchSize":
        """Begin with full batches."""
        return cls(records_max, bytes_max, records_max, bytes_max)

    def after_success(self) -> "BatchSize":
        """Grow towards the largest size."""
        return replace(
            self,
            records=min(self.records_max, self.records * _GROWTH),
            bytes=min(self.bytes_max, self.bytes * _GROWTH),
        )

    def after_trouble(self, *, sent: int) -> "BatchSize":
        """Shrink: a batch of `sent` records was refused, or did not get through."""
        return replace(self, records=max(1, sent // _GROWTH), bytes=max(1, self.bytes // _GROWTH))
