"""How much memory a new model could take now: what the system could free, or what its group has left."""

import os
from pathlib import Path

_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_AVAILABLE = "MemAvailable:"
_KIB = 1024


def free_memory_bytes(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> int:
    """Return what is free for use; where the system does not tell, all that the machine has.

    Source: proc(5), MemAvailable; Linux control groups version 2, memory.max and memory.current.
    """
    left = [_available_bytes(meminfo)]
    most, used = _number_in(group / "memory.max"), _number_in(group / "memory.current")
    if most is not None and used is not None:
        left.append(max(most - used, 0))
    return min(left)


def _available_bytes(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(_AVAILABLE):
            return int(line.split()[1]) * _KIB
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _number_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None  # No such group, or `max`: no limit.
