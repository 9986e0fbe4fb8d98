"""What a sandbox child puts around itself. Limits of the kernel: no model can lift them."""

import contextlib
import ctypes
import math
import os
import resource
import signal
from pathlib import Path

from ganglion.ports.sandbox_limits import SandboxLimits

_NEW_USER_NAMESPACE, _NEW_NETWORK_NAMESPACE = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET in <sched.h>
_FIRST_TO_GO = "1000"
"""When the machine runs out of memory, the kernel ends this process before any other."""
_RESERVED_BYTES = 1_000_000_000
"""Address space that threads and allocators set aside without using it."""
_STACKS_BYTES = 64_000_000
_RESET_PEAK = "5"


def confine(limits: SandboxLimits) -> None:
    """Limit time, files, rank and reach of this process, for good."""
    os.nice(max(0, limits.niceness_min - os.nice(0)))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    leave_network()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.files_max)
    # The soft limit ends the process with a signal that tells why.
    cpu_s = limits.cpu_s_max + math.ceil(_used_cpu_s())
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.wall_s_max)


def confine_memory(bytes_max: int, *, is_cpu_only: bool) -> None:
    """Let this process take `bytes_max` beyond what it has now; an allocation beyond that fails.

    Drivers of accelerators reserve address space by the terabyte, so that only what is used counts for them.
    """
    gauge = MemoryGauge()
    _limit(resource.RLIMIT_DATA, gauge.read("VmData") + bytes_max + _STACKS_BYTES)
    if is_cpu_only:
        _limit(resource.RLIMIT_AS, gauge.read("VmSize") + bytes_max + _RESERVED_BYTES)


def leave_network() -> bool:
    """Go where there is no network. False: the kernel does not let this user; the trial needs none either way."""
    libc = ctypes.CDLL(None)
    return bool(libc.unshare(_NEW_USER_NAMESPACE | _NEW_NETWORK_NAMESPACE) == 0)


class MemoryGauge:
    """Memory in use from now on."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
        self._before_bytes = self.read("VmRSS")

    def peak_bytes(self) -> int:
        """Return the most memory that was taken since."""
        return max(0, self.read("VmHWM") - self._before_bytes)

    def read(self, name: str) -> int:
        """Return a figure of this process in bytes, as `man proc_pid_status` names it."""
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"the kernel tells no {name}")


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that was lower already stays."""
    hard = soft if hard is None else hard
    _, present = resource.getrlimit(kind)
    if present != resource.RLIM_INFINITY:
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(kind, (soft, hard))


def _used_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
