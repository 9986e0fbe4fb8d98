"""Carries out what the rollout machine decided: the document first, then assignments, all in one transaction."""

import structlog

from ganglion.core.ids import NodeId
from ganglion.hub.domain import lifecycle, rollout_request
from ganglion.hub.domain import rollout as machine
from ganglion.hub.domain.rollout import Decision, Previous, Rollout, RolloutEffect
from ganglion.hub.services.desired import Desired, FleetDefault, assignment_row, choose_release
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.hub.services.rollout_evidence import is_current
from ganglion.ports.hub_store import ControlTransaction, NodeRow, RolloutRow
from ganglion.wire import codec

log = structlog.get_logger()


class RolloutEffects:
    """Stores decisions and performs their effects."""

    def __init__(self, *, desired: Desired) -> None:
        self._desired = desired

    def carry_out(self, tx: ControlTransaction, decision: Decision) -> tuple[Rollout, list[str]]:
        """Return the rollout as it was stored, and the nodes whose desired state changed."""
        rollout = decision.rollout
        nodes = self._nodes_of_stage(tx, rollout) if decision.effect is RolloutEffect.ASSIGN_STAGE else []
        rollout = machine.with_previous(rollout, {row.node_id: _previous(tx, row, rollout.model) for row in nodes})
        tx.put_rollout(_row(rollout))
        match decision.effect:
            case RolloutEffect.ASSIGN_STAGE:
                return rollout, self._assign(tx, rollout, nodes)
            case RolloutEffect.RESTORE:
                return rollout, self._restore(tx, rollout)
            case RolloutEffect.MAKE_DEFAULT:
                return rollout, self._make_default(tx, rollout)
            case None:
                return rollout, []

    def _nodes_of_stage(self, tx: ControlTransaction, rollout: Rollout) -> list[NodeRow]:
        rows = [tx.node(node_id) for node_id in rollout.current.node_ids]
        return [row for row in rows if row is not None and lifecycle.takes_part(row)]

    def _assign(self, tx: ControlTransaction, rollout: Rollout, nodes: list[NodeRow]) -> list[str]:
        releases = tx.releases(rollout.model, rollout.version)
        policy = rollout_request.policy_for(rollout.policy, rollout.gate, len(nodes))
        touched = []
        for node in nodes:
            release = choose_release(releases, node)
            if release is None:
                # Every node had a variant when the rollout started: this one's hardware changed. It stays silent.
                log.warning("node.variant_missing", node=node.name, model=rollout.model, version=rollout.version)
                continue
            row = assignment_row(node, release, rollout_id=rollout.rollout_id, policy=policy)
            if self._desired.assign(tx, row):
                touched.append(node.node_id)
        return touched

    def _restore(self, tx: ControlTransaction, rollout: Rollout) -> list[str]:
        """Give every node what it had; one that had nothing of the model loses the assignment."""
        return [
            node_id
            for node_id, previous in rollout.previous.items()
            if (self._give_back(tx, rollout, node_id, previous) if previous else self._take(tx, rollout, node_id))
        ]

    def _give_back(self, tx: ControlTransaction, rollout: Rollout, node_id: str, previous: Previous) -> bool:
        node = tx.node(node_id)
        releases = tx.releases(rollout.model, previous.version)
        release = next((row for row in releases if row.variant == previous.variant), None)
        assert node is not None, "nodes are revoked, never removed"
        assert release is not None, "what a node had was released, and releases stay"
        row = assignment_row(node, release, rollout_id=rollout.rollout_id, policy=rollout_request.RESTORE_POLICY)
        return self._desired.assign(tx, row)

    def _take(self, tx: ControlTransaction, rollout: Rollout, node_id: str) -> bool:
        return self._desired.withdraw(tx, NodeId(node_id), rollout.model)

    def _make_default(self, tx: ControlTransaction, rollout: Rollout) -> list[str]:
        """Nodes that joined during the first rollout of a model have none of it yet, and take it now."""
        default = FleetDefault(rollout.version, rollout.rollout_id, rollout.policy)
        self._desired.set_default(tx, rollout.model, default)
        return self._desired.adopt_everywhere(tx, rollout.model)


def _row(rollout: Rollout) -> RolloutRow:
    return RolloutRow(
        rollout_id=rollout.rollout_id,
        model=rollout.model,
        version=rollout.version,
        state=rollout.state.value,
        document=codec.encode_json(rollout),
        updated_at_s=rollout.updated_at_s,
    )


def _previous(tx: ControlTransaction, node: NodeRow, model: str) -> Previous | None:
    """Return what a node has of the model: what it was assigned, unless its newest report knows better.

    A node may have refused its assignment by itself, and then serves the version before. An old report
    proves nothing: it may name a version that was aborted since.
    """
    assigned = next(iter(tx.assignments(node_id=node.node_id, model=model)), None)
    if assigned is None:
        return None
    report = report_of(node)
    if report and is_current(report, node, known_incarnation(tx)):
        committed = next((status.committed for status in report.models if status.model == model), "")
        release = choose_release(tx.releases(model, committed), node) if committed != assigned.version else None
        if committed and release:
            return Previous(committed, release.variant)
    return Previous(assigned.version, assigned.variant)
