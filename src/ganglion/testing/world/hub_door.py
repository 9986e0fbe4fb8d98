"""Who may speak to the hub: the shipped standings of nodes, with the judge of borders beside them."""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter

from ganglion.core.identity_errors import NodeQuarantined, Unauthenticated
from ganglion.hub.domain.nodes.lifecycle import Standing, StandingSettings, standing_of
from ganglion.hub.services.identity import node_acts, standings
from ganglion.hub.services.identity.alarms import Alarms
from ganglion.hub.services.identity.node_acts import Act, By
from ganglion.hub.services.identity.standings import Standings
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import NodeRow
from ganglion.testing.laws.law_9_zones import ClosedBorders
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.hub_stores import WorldControlStore, WorldTelemetryStore
from ganglion.trust import audit
from ganglion.trust.audit import HUB, Stored

RELEASED = "image-1"
"""The system image that was released; a node that measures another one is not let in."""
TOKEN_S = 3600.0
"""How long a node goes on before it proves its key again; a real one does so every quarter of an hour."""
_OPERATOR = "operator"
_MEASURED = "image_sha256"
_SETTINGS = StandingSettings(measured_allowed={_MEASURED: (RELEASED,)}, measured_quarantine=True)


class Door:
    """One start of the hub."""

    def __init__(
        self,
        *,
        control: WorldControlStore,
        telemetry: WorldTelemetryStore,
        clock: Clock,
        changed: Callable[[Sequence[str]], None],
        law: ClosedBorders,
        bugs: frozenset[Bug],
    ) -> None:
        self._control, self._clock, self._law, self._bugs = control, clock, law, bugs
        self._standings = Standings(
            control=control,
            clock=clock,
            alarms=Alarms(telemetry=telemetry, clock=clock),
            changed=changed,
            settings=_SETTINGS,
        )

    def log_in(self, node_id: str, *, image: str) -> None:
        """Judge a node that proves its key. Raises: Unauthenticated, NodeQuarantined."""
        with self._control.write() as tx:
            before = standings.check_known(tx.node(node_id))
            if image != RELEASED:
                self._law.put_out(node_id, "measures what nobody released")
            after, alarms = self._standings.judge(tx, before, {_MEASURED: image})
            tx.put_node(after)
        self._standings.tell(alarms)
        if after.quarantined_at_s is not None and before.quarantined_at_s is None:
            self._law.put_out(node_id, "was put into quarantine")
            self._law.done("node.quarantined", after.name)
        standings.check_admitted(after)

    def let_through(self, node_id: str, *, at_s: float, logged_in_s: float, what: str) -> None:
        """Let a call in. Raises: Unauthenticated, NodeQuarantined."""
        try:
            standings.check_admitted(self._row(node_id))
        except (Unauthenticated, NodeQuarantined):
            if Bug.TOKEN_CHECKED_ONLY_AT_LOGIN not in self._bugs or at_s >= logged_in_s + TOKEN_S:
                raise
        self._law.crossed(at_s, node_id, what)

    def revoke(self, node_id: str) -> None:
        """Trust a node no more."""
        if Bug.UNAUDITED in self._bugs:
            with self._control.write() as tx:
                decided = node_acts.revoke(self._row(node_id), self._clock.utc_ns() / 1e9)
                if decided is not None:
                    tx.put_node(decided.row)
                    self._law.done("node.revoked", decided.row.name)
        else:
            self._act(node_id, node_acts.revoke, "node.revoked")
        self._law.put_out(node_id, "was revoked")

    def retire(self, node_id: str) -> None:
        """Take a node out of service."""
        self._act(node_id, node_acts.retire, "node.retired")
        self._law.put_out(node_id, "was retired")

    def admit(self, node_id: str) -> None:
        """Let a quarantined node in again."""
        self._law.admitted(node_id)
        self._act(node_id, node_acts.admit, "node.admitted")

    def in_quarantine(self) -> list[str]:
        """Return the nodes that wait for a person's word."""
        nodes = self._control.tables.nodes.values()
        return [row.node_id for row in nodes if standing_of(row) is Standing.QUARANTINED]

    def chain(self) -> tuple[Counter[tuple[str, str]], int]:
        """Return how often the audit chain tells of each deed, and how many faults the shipped proof finds in it."""
        rows = sorted(
            (row for row in self._control.tables.audit.values() if row.writer == HUB), key=attrgetter("number")
        )
        faults = audit.verify([Stored(row.number, row.hash, row.document) for row in rows], writer=HUB)
        return Counter((row.action, row.subject) for row in rows), len(faults)

    def _act(self, node_id: str, act: Act, action: str) -> None:
        row = self._row(node_id)
        with self._control.write() as tx:
            if node_acts.act_on(tx, row, act, By(self._clock, _OPERATOR)):
                self._law.done(action, row.name)

    def _row(self, node_id: str) -> NodeRow:
        return self._control.tables.nodes[node_id]
