"""Carries out what the rollout machine decided: the document first, then assignments, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog

from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.nodes.lifecycle import Standing
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts import turns
from ganglion.hub.domain.rollouts.document import Cause, Previous, Rollout, RolloutState
from ganglion.hub.domain.rollouts.machine import HUB, Decision
from ganglion.hub.domain.rollouts.table import RolloutEffect
from ganglion.hub.services.evidence.roster import is_current
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.hub.services.nodes.desired import Desired, FleetDefault, row_for
from ganglion.hub.services.nodes.fleet import report_of
from ganglion.hub.services.organisation.places import site_limits
from ganglion.hub.services.releases.release_choice import Choice
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import reverts as rollout_reverts
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.hub_store import AssignmentRow, ControlTransaction, NodeQuery, NodeRow, ReleaseRow
from ganglion.wire.desired import DeploymentPolicy

log = structlog.get_logger()

_GIVING = (RolloutState.RUNNING, RolloutState.AWAITING_APPROVAL)
"""A pause gives the version to nobody else; what a stage began goes on while the next one waits for people."""
_AT_ONCE = 2000
"""Nodes whose reports are in memory at once."""


@dataclass(frozen=True, slots=True)
class _Recipient:
    """A node that is given the version now."""

    node_id: str
    name: str
    site: str
    release: ReleaseRow | None
    """What suits it; None: nothing does any more."""
    had: Previous | None


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
        due = _due(tx, rollout) if rollout.state in _GIVING else ()
        return self._give_to(tx, rollout, due)

    def _give_to(self, tx: ControlTransaction, rollout: Rollout, node_ids: Sequence[str]) -> tuple[Rollout, list[str]]:
        recipients = _recipients(tx, rollout, node_ids)
        rollout = _with_given(rollout, recipients)
        rollout_rows.store(tx, rollout)
        return rollout, self._assign(tx, rollout, recipients)

    def _assign(self, tx: ControlTransaction, rollout: Rollout, recipients: Sequence[_Recipient]) -> list[str]:
        policy = rollout_request.policy_for(rollout.policy, rollout.gate, len(rollout.current.node_ids))
        shares, rows = _Shares(tx, rollout), list[AssignmentRow]()
        for each in recipients:
            if each.release is None:
                # Every node had a variant when the rollout started: this one's hardware changed. It stays silent.
                log.warning("node.variant_missing", node=each.name, model=rollout.model, version=rollout.version)
                continue
            rows.append(_row(each.node_id, each.release, rollout, shares.of(policy, each)))
        return self._desired.assign_all(tx, rows)

    def _restore(self, tx: ControlTransaction, rollout: Rollout) -> list[str]:
        """Give every node what it had; one that had nothing of the model loses the assignment."""
        releases = {(row.version, row.variant): row for row in tx.releases(rollout.model)}
        rows, without = list[AssignmentRow](), list[str]()
        for node_id, previous in rollout.previous.items():
            if previous is None:
                without.append(node_id)
                continue
            release = releases.get((previous.version, previous.variant))
            assert release is not None, "what a node had was released, and releases stay"
            rows.append(_row(node_id, release, rollout, rollout_request.RESTORE_POLICY))
        touched = self._desired.assign_all(tx, rows)
        return [*touched, *self._desired.withdraw_all(tx, without, rollout.model)]

    def _make_default(self, tx: ControlTransaction, rollout: Rollout) -> tuple[Rollout, list[str]]:
        """Let nodes that join from now on start with it; those that joined meanwhile, with or without one, take it."""
        default = FleetDefault(rollout.version, rollout.rollout_id, rollout.policy)
        self._desired.set_default(tx, rollout.model, default)
        away = tx.find_nodes(NodeQuery(standings=(Standing.QUARANTINED.value,)))
        rollout, touched = self._let_follow(tx, rollout, [node.node_id for node in away])
        return rollout, [*touched, *self._desired.adopt_everywhere(tx, rollout.model)]

    def _let_follow(
        self, tx: ControlTransaction, rollout: Rollout, also: Sequence[str] = ()
    ) -> tuple[Rollout, list[str]]:
        """Give it to those who joined meanwhile, and to those in quarantine, who take it when they are let in again."""
        missed = [node.node_id for node in tx.nodes_of(turns.undelivered(rollout)) if not lifecycle.has_left(node)]
        following = dict.fromkeys([*missed, *also, *rollout_planning.joined_since(tx, rollout)])
        return self._give_to(tx, rollout, [node_id for node_id in following if not rollout.was_given(node_id)])


class _Shares:
    """What each node may bring per second, and which attempt it is."""

    def __init__(self, tx: ControlTransaction, rollout: Rollout) -> None:
        self._rollout, self._limits = rollout, site_limits(tx)
        is_limited = bool(rollout.terms.site_bytes_per_s_max or self._limits)
        places = rollout_planning.places_in_service(tx) if is_limited else {}
        self._flying = turns.flying_by_site(rollout, places)

    def of(self, policy: DeploymentPolicy, node: _Recipient) -> DeploymentPolicy:
        """Return the policy for one node."""
        flying, own = self._flying[node.site], self._limits.get(node.site, 0)
        share = turns.download_share(self._rollout, flying=flying, site_bytes_per_s_max=own)
        attempt = self._rollout.attempts.get(node.node_id, 0)
        if not share and not attempt:
            return policy
        return msgspec.structs.replace(policy, download_bytes_per_s_max=share, attempt=attempt)


def _due(tx: ControlTransaction, rollout: Rollout) -> Sequence[str]:
    return turns.turn(rollout, rollout_planning.places_in_service(tx)).due


def _recipients(tx: ControlTransaction, rollout: Rollout, node_ids: Sequence[str]) -> list[_Recipient]:
    choice, past = Choice(tx.releases(rollout.model, rollout.version)), _Past(tx, rollout.model)
    found = list[_Recipient]()
    for begin in range(0, len(node_ids), _AT_ONCE):
        some = node_ids[begin : begin + _AT_ONCE]
        assigned = tx.assignments_of(some, rollout.model)
        for row in tx.nodes_of(some):
            had = past.of(row, assigned.get(row.node_id))
            found.append(_Recipient(row.node_id, row.name, row.site, choice.of(row), had))
    return found


def _with_given(rollout: Rollout, recipients: Sequence[_Recipient]) -> Rollout:
    given = documents.with_given(rollout, [each.node_id for each in recipients], now_s=rollout.updated_at_s)
    return documents.with_previous(given, {each.node_id: each.had for each in recipients})


def _with_those_who_joined(tx: ControlTransaction, rollout: Rollout) -> Rollout:
    """Take those who joined along with the last stage, when it begins."""
    begins = not any(rollout.was_given(node_id) for node_id in rollout.current.node_ids)
    if rollout.stage == 0 or not rollout.is_last_stage or not begins:
        return rollout
    # One that was never heard of would hold the gate up; it follows when the rollout ends.
    found = tx.nodes_of(rollout_planning.joined_since(tx, rollout))
    joined = [node.node_id for node in found if node.last_seen_at_s is not None]
    return documents.with_joined(rollout, joined, Cause(rollout.updated_at_s, HUB, ""))


def _row(node_id: str, release: ReleaseRow, rollout: Rollout, policy: DeploymentPolicy) -> AssignmentRow:
    return row_for(node_id, release, rollout_id=rollout.rollout_id, policy=policy)


class _Past:
    """What nodes had of a model before."""

    def __init__(self, tx: ControlTransaction, model: str) -> None:
        self._model, self._incarnation = model, known_incarnation(tx)
        packages: dict[str, list[ReleaseRow]] = {}
        for row in tx.releases(model):
            packages.setdefault(row.version, []).append(row)
        self._choices = {version: Choice(rows) for version, rows in packages.items()}

    def of(self, node: NodeRow, assigned: AssignmentRow | None) -> Previous | None:
        """Return what a node has of the model: what it was assigned, unless its newest report knows better.

        A node may have refused its assignment by itself, and then serves the version before. An old report
        proves nothing: it may name a version that was aborted since.
        """
        if assigned is None:
            return None
        report = report_of(node)
        if report and is_current(report, node, self._incarnation):
            committed = next((status.committed for status in report.models if status.model == self._model), "")
            choice = self._choices.get(committed) if committed != assigned.version else None
            release = choice.of(node) if choice else None
            if release is not None:
                return Previous(committed, release.variant)
        return Previous(assigned.version, assigned.variant)
