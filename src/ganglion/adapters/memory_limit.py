"""A limit on the memory of this process: an allocation beyond it fails, and takes down nobody else's program."""

import os
import resource
from pathlib import Path

from ganglion.core.errors import InvalidSettings

_ROOM_BYTES = 100_000_000
"""For an engine, the stacks of its threads, and requests."""
SHARE_MAX = 0.75
"""Of the machine's memory, for a process that nobody gave a number: the rest is for the programs beside it."""


def limit_memory(bytes_max: int) -> int:
    """Let this process hold `bytes_max` of writable memory of its own in all; return what holds now.

    Counts what it may write (RLIMIT_DATA), not what it maps: drivers of accelerators reserve address space by the
    terabyte. A limit that is lower already stays.
    Raises: InvalidSettings: the process holds more already, or could load nothing.
    """
    needed = _needed_bytes()
    if bytes_max < needed:
        raise InvalidSettings(f"memory_bytes_max is {bytes_max}; without a model the process needs {needed} already")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bytes_max = bytes_max if hard == resource.RLIM_INFINITY else min(bytes_max, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bytes_max, hard))
    return bytes_max


def _needed_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmData:")[2].split()[0]) * 1024 + _ROOM_BYTES


def share_of_machine() -> int:
    """Return what a process may take that nobody gave a number; on the smallest machines no less than it needs."""
    share = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * SHARE_MAX)
    return max(share, _needed_bytes() + _ROOM_BYTES)
