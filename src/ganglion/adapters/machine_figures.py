"""How the machine is doing: processor, memory, temperature, disk. What a system does not tell is left out.

Source: proc(5), /proc/stat and /proc/meminfo; the kernel's thermal sysfs interface.
"""

import shutil
import threading
from pathlib import Path

_IDLE_FIELDS = slice(3, 5)  # idle and iowait
_COUNTED_FIELDS = slice(0, 8)  # Guests are in user time already.
_MILLI = 1000.0
_KIB = 1024.0


class MachineFigures:
    """Figures by name, with their unit in it. `folder` lies on the disk that matters."""

    def __init__(
        self,
        folder: Path,
        *,
        stat: Path = Path("/proc/stat"),
        zones: Path = Path("/sys/class/thermal"),
        meminfo: Path = Path("/proc/meminfo"),
    ) -> None:
        self._folder, self._stat, self._zones, self._meminfo = folder, stat, zones, meminfo
        self._lock = threading.Lock()
        self._times = self._cpu_times()

    def figures(self) -> dict[str, float]:
        """Return what can be read now; `cpu_share` is the mean over the time since the last call."""
        found = {
            "cpu_share": self._cpu_share(),
            "temperature_c": self._temperature_c(),
            "disk_free_bytes": self._free(),
            "memory_used_bytes": self._memory_used(),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _cpu_share(self) -> float | None:
        with self._lock:
            before, self._times = self._times, self._cpu_times()
            if before is None or self._times is None:
                return None
            busy, total = (now - then for now, then in zip(self._times, before, strict=True))
        return round(busy / total, 4) if total > 0 else None

    def _cpu_times(self) -> tuple[int, int] | None:
        """Return busy and total time of all processors since the start, in ticks."""
        try:
            fields = self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()
            ticks = [int(field) for field in fields[1:]][_COUNTED_FIELDS]
        except (OSError, ValueError):
            return None
        return sum(ticks) - sum(ticks[_IDLE_FIELDS]), sum(ticks)

    def _temperature_c(self) -> float | None:
        """Return the temperature of the hottest zone."""
        degrees = []
        for file in self._zones.glob("thermal_zone*/temp"):
            try:
                degrees.append(int(file.read_text(encoding="ascii")) / _MILLI)
            except (OSError, ValueError):
                continue
        return max(degrees, default=None)

    def _memory_used(self) -> float | None:
        """Return what is taken and cannot be had for the asking."""
        try:
            lines = self._meminfo.read_text(encoding="ascii").splitlines()
            known = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
            return (known["MemTotal"] - known["MemAvailable"]) * _KIB
        except (OSError, ValueError, KeyError, IndexError):
            return None

    def _free(self) -> float | None:
        try:
            return float(shutil.disk_usage(self._folder).free)
        except OSError:
            return None
