"""Events that the hub itself tells of a node: they stand among those that nodes send."""

import threading
from collections.abc import Mapping

import msgspec
import structlog

from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import NodeRow
from ganglion.ports.telemetry_store import EventRow, TelemetryStore

_EPOCH = "hub"
_AGAIN_S = 3600.0
_REMEMBERED_MAX = 10_000
log = structlog.get_logger(__name__)


class Alarms:
    """Tells people. The same of one node is told once an hour, however often it happens."""

    def __init__(self, *, telemetry: TelemetryStore, clock: Clock) -> None:
        self._telemetry, self._clock = telemetry, clock
        self._told: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def tell(self, node: NodeRow, name: str, reason: str, facts: Mapping[str, str]) -> None:
        """Keep an event. Raises: DiskUnusable, Overloaded."""
        log.warning(name, node_id=node.node_id, node=node.name, reason=reason)
        if not self._is_due((node.node_id, name)):
            return
        at_ns = self._clock.utc_ns()
        event = EventRow(
            node_id=node.node_id,
            epoch=_EPOCH,
            seq=at_ns,
            at_ns=at_ns,
            name=name,
            model="",
            version="",
            rollout_id="",
            reason=reason,
            facts=msgspec.json.encode(dict(facts)),
            corrected_at_ns=at_ns,
        )
        with self._telemetry.write() as tx:
            tx.add_events([event])

    def _is_due(self, what: tuple[str, str]) -> bool:
        now_s = self._clock.monotonic_s()
        with self._lock:
            told_at_s = self._told.get(what)
            if told_at_s is not None and now_s - told_at_s < _AGAIN_S:
                return False
            if len(self._told) >= _REMEMBERED_MAX:
                self._told.clear()
            self._told[what] = now_s
            return True
