"""How the hub itself is doing: what it keeps, what it can still take, and who waits."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ganglion.entrypoints.hub_wiring.batch_gate import BatchGate
from ganglion.entrypoints.hub_wiring.waiters import Waiters
from ganglion.hub.services.records.retention import Retention
from ganglion.wire.node_resources import HubStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFigures:
    """Reads the figures of one moment. Safe to use from many threads."""

    retention: Retention
    waiters: Waiters
    gate: BatchGate
    free_bytes: Callable[[], int]
    free_bytes_min: int
    telemetry_bytes_max: int

    def status(self) -> HubStatus:
        """Return the figures of now."""
        kept, free_bytes = self.retention.kept, self.free_bytes()
        return HubStatus(
            release=version("ganglion"),
            takes_records=free_bytes >= self.free_bytes_min,
            disk_free_bytes=free_bytes,
            disk_free_bytes_min=self.free_bytes_min,
            telemetry_bytes=kept.used_bytes,
            telemetry_bytes_max=self.telemetry_bytes_max,
            removed=dict(kept.removed),
            retention_at_s=kept.looked_at_s,
            long_polls=self.waiters.count,
            batches_in_progress=self.gate.inside,
            batches_turned_away=self.gate.away,
        )


def free_bytes_of(folder: Path) -> Callable[[], int]:
    """Return a function that says how much room the disk of `folder` has; one that cannot be asked has none."""

    def free_bytes() -> int:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return 0

    return free_bytes
