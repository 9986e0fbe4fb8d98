"""The figures of the hub's state that Prometheus asks for, read from the stores at that moment."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganglion.entrypoints.hub_wiring.metrics import FleetCounts
from ganglion.entrypoints.hub_wiring.waiters import Waiters
from ganglion.hub.services.nodes.fleet_states import FleetStates
from ganglion.hub.services.organisation.groups import IN_SERVICE
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeQuery
from ganglion.ports.telemetry_store import TelemetryStore
from ganglion.trust.ceremony.inventory import Role

_OUT = ("quarantined", "retired", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCounter:
    """Counts what the stores hold. A node is active, silent (not heard of for long) or revoked: one of them."""

    control: ControlStore
    telemetry: TelemetryStore
    waiters: Waiters
    clock: Clock
    states: FleetStates
    trust: Callable[[], Sequence[Role]] = tuple

    def counts(self) -> FleetCounts:
        """Return the figures of now."""
        with self.control.read() as tx:
            nodes, releases, rollouts = self._nodes(tx), tx.releases(), tx.rollouts()
        with self.telemetry.read() as tx:
            stored = tx.records_stored()
        roles = self.trust()
        return FleetCounts(
            nodes=nodes,
            rollouts=Counter(row.state for row in rollouts),
            releases=len(releases),
            records_stored=stored,
            long_polls=self.waiters.count,
            trust_expiry={role.name: role.expires_at_s for role in roles if role.expires_at_s is not None},
            trust_due={role.name: role.is_due for role in roles if role.expires_at_s is not None},
        )

    def _nodes(self, tx: ControlTransaction) -> dict[str, int]:
        before_s = utc_s(self.clock) - self.states.silent_after_s
        # Who has just joined is not missed yet.
        silent = sum(node.enrolled_at_s < before_s for node in self.states.silent(tx))
        in_service = tx.count_nodes(NodeQuery(standings=IN_SERVICE))
        out = {state: tx.count_nodes(NodeQuery(standings=(state,))) for state in _OUT}
        return {"active": in_service - silent, "silent": silent, **out}
