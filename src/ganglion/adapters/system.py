"""The only place that reads the machine's clocks and randomness."""

import os
import platform
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.wire.identity import NodeFacts


class SystemClock:
    """The machine's clocks."""

    # The functions themselves: serving reads the clock seven times for each request.
    utc_ns = staticmethod(time.time_ns)
    monotonic_s = staticmethod(time.monotonic)


class SystemChance:
    """The operating system's random source."""

    def token_bytes(self, size: int) -> bytes:
        """Return `size` bytes fit for secrets."""
        return os.urandom(size)

    def share(self) -> float:
        """Return a number in [0, 1) with 53 random bits."""
        return (int.from_bytes(os.urandom(7), "big") >> 3) / (1 << 53)


def node_facts(*, runtimes: Sequence[str], release: str) -> "NodeFacts":
    """Measure this machine, which has these runtimes, the one of the base install first."""
    from ganglion.wire.identity import NodeFacts  # noqa: PLC0415 - whoever needs a clock alone stays small

    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return NodeFacts(
        arch=platform.machine(),
        runtime=next(iter(runtimes), ""),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=pages * page_bytes,
        release=release,
        runtimes=tuple(runtimes),
    )
