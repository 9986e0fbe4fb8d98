"""The only place that reads the machine's clocks and randomness."""

import os
import platform
import secrets
import time

from ganglion.wire.messages import NodeFacts


class SystemClock:
    """The machine's clocks."""

    def utc_ns(self) -> int:
        """Return wall-clock time, nanoseconds since 1970."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return the monotonic clock, in seconds."""
        return time.monotonic()


class SystemChance:
    """The operating system's random source."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes fit for secrets."""
        return secrets.token_bytes(size)

    def share(self) -> float:
        """Return a number in [0, 1) with 53 random bits."""
        return secrets.randbits(53) / (1 << 53)


def node_facts(*, runtime: str, release: str) -> NodeFacts:
    """Measure this machine."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return NodeFacts(
        arch=platform.machine(),
        runtime=runtime,
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=pages * page_bytes,
        release=release,
    )
