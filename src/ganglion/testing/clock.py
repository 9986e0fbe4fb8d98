"""A clock that moves only when a test says so."""

_START_NS = 1_700_000_000 * 1_000_000_000
"""14 November 2023, a date that certificates and TUF metadata of tests are made around."""


class FakeClock:
    """Both kinds of time. They advance together; the wall clock can also jump on its own."""

    def __init__(self, *, utc_ns: int = _START_NS, monotonic_s: float = 0.0) -> None:
        self._utc_ns = utc_ns
        self._monotonic_s = monotonic_s

    def utc_ns(self) -> int:
        """Return wall-clock time, nanoseconds since 1970."""
        return self._utc_ns

    def monotonic_s(self) -> float:
        """Return seconds since the clock was made."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        assert seconds >= 0, "time does not run backwards; use `jump` for a wrong wall clock"
        self._monotonic_s += seconds
        self._utc_ns += round(seconds * 1e9)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a dead battery or a first NTP answer does."""
        self._utc_ns += round(seconds * 1e9)
