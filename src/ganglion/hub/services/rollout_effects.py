"""Carries out what the rollout machine decided: the document first, then assignments, all in one transaction."""

from collections.abc import Sequence

import msgspec
import structlog

from ganglion.core.ids import NodeId
from ganglion.hub.domain import rollout as documents
from ganglion.hub.domain import rollout_request, turns
from ganglion.hub.domain.rollout import Cause, Previous, Rollout, RolloutState
from ganglion.hub.domain.rollout_machine import HUB, Decision
from ganglion.hub.domain.rollout_table import RolloutEffect
from ganglion.hub.services import rollout_planning, rollout_reverts, rollout_rows
from ganglion.hub.services.desired import Desired, FleetDefault, assignment_row, choose_release
from ganglion.hub.services.evidence_roster import is_current
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.wire.desired import DeploymentPolicy

log = structlog.get_logger()

_GIVING = (RolloutState.RUNNING, RolloutState.AWAITING_APPROVAL)
"""A pause gives the version to nobody else; what a stage began goes on while the next one waits for people."""


class RolloutEffects:
    """Stores decisions and performs their effects."""

    def __init__(self, *, desired: Desired) -> None:
        self._desired = desired

    def carry_out(self, tx: ControlTransaction, decision: Decision) -> tuple[Rollout, list[str]]:
        """Return the rollout as it was stored, and the nodes whose desired state changed."""
        rollout = decision.rollout
        match decision.effect:
            case RolloutEffect.ASSIGN_STAGE:
                return self._give(tx, rollout)
            case RolloutEffect.RESTORE:
                rollout_rows.store(tx, rollout)
                rollout_reverts.watch(tx, rollout)
                return rollout, self._restore(tx, rollout)
            case RolloutEffect.MAKE_DEFAULT:
                return self._make_default(tx, rollout)
            case RolloutEffect.LET_FOLLOW:
                return self._let_follow(tx, rollout)
            case None:
                rollout_rows.store(tx, rollout)
                return rollout, []

    def _give(self, tx: ControlTransaction, rollout: Rollout) -> tuple[Rollout, list[str]]:
        """Give the version to those whose turn it is, and remember what they had."""
        rollout = _with_those_who_joined(tx, rollout)
        nodes = _due(tx, rollout) if rollout.state in _GIVING else []
        rollout = _with_given(tx, rollout, nodes)
        rollout_rows.store(tx, rollout)
        return rollout, self._assign(tx, rollout, nodes)

    def _assign(self, tx: ControlTransaction, rollout: Rollout, nodes: Sequence[NodeRow]) -> list[str]:
        releases = tx.releases(rollout.model, rollout.version)
        policy = rollout_request.policy_for(rollout.policy, rollout.gate, len(rollout.current.node_ids))
        shares = _Shares(tx, rollout)
        touched = []
        for node in nodes:
            release = choose_release(releases, node)
            if release is None:
                # Every node had a variant when the rollout started: this one's hardware changed. It stays silent.
                log.warning("node.variant_missing", node=node.name, model=rollout.model, version=rollout.version)
                continue
            own = shares.of(policy, node)
            row = assignment_row(node, release, rollout_id=rollout.rollout_id, policy=own)
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

    def _make_default(self, tx: ControlTransaction, rollout: Rollout) -> tuple[Rollout, list[str]]:
        """Let nodes that join from now on start with it; those that joined meanwhile, with or without one, take it."""
        default = FleetDefault(rollout.version, rollout.rollout_id, rollout.policy)
        self._desired.set_default(tx, rollout.model, default)
        rollout, touched = self._let_follow(tx, rollout)
        return rollout, [*touched, *self._desired.adopt_everywhere(tx, rollout.model)]

    def _let_follow(self, tx: ControlTransaction, rollout: Rollout) -> tuple[Rollout, list[str]]:
        nodes = rollout_planning.joined_since(tx, rollout)
        rollout = _with_given(tx, rollout, nodes)
        rollout_rows.store(tx, rollout)
        return rollout, self._assign(tx, rollout, nodes)


class _Shares:
    """What each node may bring per second, and which attempt it is."""

    def __init__(self, tx: ControlTransaction, rollout: Rollout) -> None:
        self._rollout = rollout
        is_limited = rollout.terms.site_bytes_per_s_max > 0
        self._places = rollout_planning.places_in_service(tx) if is_limited else {}
        self._by_site: dict[str, int] = {}

    def of(self, policy: DeploymentPolicy, node: NodeRow) -> DeploymentPolicy:
        """Return the policy for one node."""
        if node.site not in self._by_site:
            self._by_site[node.site] = turns.download_share(self._rollout, self._places, node.site)
        share, attempt = self._by_site[node.site], self._rollout.attempts.get(node.node_id, 0)
        if not share and not attempt:
            return policy
        return msgspec.structs.replace(policy, download_bytes_per_s_max=share, attempt=attempt)


def _due(tx: ControlTransaction, rollout: Rollout) -> list[NodeRow]:
    places = rollout_planning.places_in_service(tx)
    rows = [tx.node(node_id) for node_id in turns.turn(rollout, places).due]
    return [row for row in rows if row is not None]


def _with_given(tx: ControlTransaction, rollout: Rollout, nodes: Sequence[NodeRow]) -> Rollout:
    had = {row.node_id: _previous(tx, row, rollout.model) for row in nodes if row.node_id not in rollout.previous}
    given = documents.with_given(rollout, [row.node_id for row in nodes], now_s=rollout.updated_at_s)
    return documents.with_previous(given, had)


def _with_those_who_joined(tx: ControlTransaction, rollout: Rollout) -> Rollout:
    """Take those who joined along with the last stage, when it begins."""
    begins = not any(rollout.was_given(node_id) for node_id in rollout.current.node_ids)
    if rollout.stage == 0 or not rollout.is_last_stage or not begins:
        return rollout
    # One that was never heard of would hold the gate up; it follows when the rollout ends.
    found = rollout_planning.joined_since(tx, rollout)
    joined = [node.node_id for node in found if node.last_seen_at_s is not None]
    return documents.with_joined(rollout, joined, Cause(rollout.updated_at_s, HUB, ""))


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
