"""The figures of the hub's state that Prometheus asks for, read from the stores at that moment."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganglion.entrypoints.hub_metrics import FleetCounts
from ganglion.entrypoints.waiters import Waiters
from ganglion.hub.domain.lifecycle import Standing, standing_of
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.many_nodes import NodeStanding
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.trust.inventory import Role

_STATES = ("active", "silent", "quarantined", "retired", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCounter:
    """Counts what the stores hold. A node is active, silent (not heard of for long) or revoked: one of them."""

    control: ControlStore
    telemetry: TelemetryStore
    waiters: Waiters
    clock: Clock
    silent_after_s: float
    last_seen_at_s: Callable[[NodeStanding], float | None]
    trust: Callable[[], Sequence[Role]] = tuple

    def counts(self) -> FleetCounts:
        """Return the figures of now."""
        with self.control.read() as tx:
            nodes, releases, rollouts = tx.node_standings(), tx.releases(), tx.rollouts()
        with self.telemetry.read() as tx:
            stored = tx.records_stored()
        roles = self.trust()
        return FleetCounts(
            nodes=dict.fromkeys(_STATES, 0) | Counter(map(self._state_of, nodes)),
            rollouts=Counter(row.state for row in rollouts),
            releases=len(releases),
            records_stored=stored,
            long_polls=self.waiters.count,
            trust_expiry={role.name: role.expires_at_s for role in roles if role.expires_at_s is not None},
            trust_due={role.name: role.is_due for role in roles if role.expires_at_s is not None},
        )

    def _state_of(self, node: NodeStanding) -> str:
        standing = standing_of(node)
        if standing not in {Standing.PENDING, Standing.ACTIVE}:
            return standing.value
        seen_s = self.last_seen_at_s(node) or node.enrolled_at_s
        return "active" if utc_s(self.clock) - seen_s <= self.silent_after_s else "silent"
