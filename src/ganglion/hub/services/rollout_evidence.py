"""Gathers what the gate looks at: who reported what, and the counts of old and new version on the right nodes.

Outcomes come from the nodes' own events of this rollout; a report that says "committed" counts too, since
a node that had the version already has nothing to tell. Minutes are those of corrected event time, so that a wrong
node clock hides nothing; every duration is measured by the hub's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain import lifecycle
from ganglion.hub.domain import rollout as machine
from ganglion.hub.domain.evidence import Evidence, NodeEvidence, Outcome
from ganglion.hub.domain.rollout import Previous, Rollout
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.hub_store import AssignmentRow, ControlStore, NodeRow
from ganglion.ports.telemetry_store import EventRow, TelemetryStore, TelemetryTransaction
from ganglion.wire.desired import NodeReport, UpdateState
from ganglion.wire.records import KNOWN_HERE

COMMITTED, ROLLED_BACK = "update.committed", "update.rolled_back"
_EVENTS_PER_NODE_MAX = 8
_EVENTS_MORE = 100
_MINUTE_S = 60
_MINUTE_NS = _MINUTE_S * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the control database knows about the nodes of a rollout."""

    nodes: Mapping[str, NodeRow]
    """Active nodes by id: a revoked one has left the fleet, and is neither silent nor anything else."""
    assigned: Mapping[str, AssignmentRow]
    incarnation: str


class RolloutEvidence:
    """Reads both stores; changes neither."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore) -> None:
        self._control, self._telemetry = control, telemetry

    def gather(self, rollout: Rollout, *, now_s: float) -> tuple[Rollout, Evidence]:
        """Return the rollout with the commits that are known by now, and the evidence for its gate."""
        with self._control.read() as tx:
            known = Known(
                nodes={row.node_id: row for row in tx.nodes() if lifecycle.takes_part(row)},
                assigned={row.node_id: row for row in tx.assignments(model=rollout.model)},
                incarnation=known_incarnation(tx),
            )
        with self._telemetry.read() as records:
            told = _told(records, rollout)
            committed = [node_id for node_id in rollout.previous if _has_committed(rollout, known, told, node_id)]
            noted = machine.with_committed(rollout, committed, now_s=now_s)
            return noted, Evidence(
                stage=_nodes(records, noted, known, told, earlier=False),
                earlier=_nodes(records, noted, known, told, earlier=True),
                controls=_controls(records, noted, known),
                waited_s=noted.waited_s(now_s),
                soaked_s=noted.soaked_s(now_s),
            )


def _told(records: TelemetryTransaction, rollout: Rollout) -> dict[str, list[EventRow]]:
    """Return by node what was told of this rollout's version."""
    limit = _EVENTS_PER_NODE_MAX * len(rollout.previous) + _EVENTS_MORE
    told: dict[str, list[EventRow]] = {}
    for event in records.events(rollout_id=rollout.rollout_id, limit=limit):
        if (event.model, event.version) == (rollout.model, rollout.version):
            told.setdefault(event.node_id, []).append(event)
    return told


def _has_committed(rollout: Rollout, known: Known, told: Mapping[str, Sequence[EventRow]], node_id: str) -> bool:
    if any(event.name == COMMITTED for event in told.get(node_id, ())):
        return True
    node = known.nodes.get(node_id)
    report = report_of(node) if node else None
    if node is None or report is None or not is_current(report, node, known.incarnation):
        return False
    return any(
        status.model == rollout.model
        and status.committed == rollout.version
        and status.update_state in ("", UpdateState.COMMITTED)
        for status in report.models
    )


def is_current(report: NodeReport, node: NodeRow, incarnation: str) -> bool:
    """Say whether a report was made after the node took in its newest desired state."""
    return report.incarnation == incarnation and report.revision >= node.desired_revision


def _nodes(
    records: TelemetryTransaction,
    rollout: Rollout,
    known: Known,
    told: Mapping[str, Sequence[EventRow]],
    *,
    earlier: bool,
) -> tuple[NodeEvidence, ...]:
    stages = rollout.stages[: rollout.stage] if earlier else (rollout.current,)
    ids = [node_id for stage in stages for node_id in stage.node_ids if node_id in known.nodes]
    begin = _stage_minute(rollout)
    since = {node_id: begin if earlier else _first_minute(told.get(node_id, ()), begin) for node_id in ids}
    behaviours = _behaviours(records, rollout, since)
    return tuple(
        _node(rollout, known.nodes[node_id], told.get(node_id, ()), behaviours.get(node_id)) for node_id in ids
    )


def _node(rollout: Rollout, node: NodeRow, events: Sequence[EventRow], behaviour: Behaviour | None) -> NodeEvidence:
    back = next((event for event in events if event.name == ROLLED_BACK), None)
    outcome = Outcome.COMMITTED if node.node_id in rollout.committed else Outcome.SILENT
    return NodeEvidence(
        name=node.name,
        node_class=node.node_class,
        outcome=Outcome.ROLLED_BACK if back else outcome,
        reason=back.reason if back else "",
        behaviour=behaviour or Behaviour(),
        has_previous=_other_version(rollout, rollout.previous.get(node.node_id)) is not None and not _knew(events),
    )


def _knew(events: Sequence[EventRow]) -> bool:
    """Say whether the node had committed this version before: it takes such a one without comparing anything."""
    return any(KNOWN_HERE in msgspec.json.decode(event.facts, type=dict[str, str]) for event in events)


def _behaviours(records: TelemetryTransaction, rollout: Rollout, since: Mapping[str, int]) -> dict[str, Behaviour]:
    """Return the new version's counts of each node. Nodes that began in the same minute share a query."""
    behaviours: dict[str, Behaviour] = {}
    for minute in sorted(set(since.values())):
        ids = [node_id for node_id, first in since.items() if first == minute]
        behaviours |= records.behaviour(node_ids=ids, model=rollout.model, version=rollout.version, since_minute=minute)
    return behaviours


def _controls(records: TelemetryTransaction, rollout: Rollout, known: Known) -> dict[str, Behaviour]:
    """Return by node class what the stage's previous versions did since it began, on nodes that still have them."""
    controls: dict[str, Behaviour] = {}
    for node_class, version in sorted(_replaced_versions(rollout, known)):
        ids = [
            node_id
            for node_id, row in known.assigned.items()
            if row.version == version and _is_of(known, node_id, node_class)
        ]
        counted = records.behaviour(
            node_ids=ids, model=rollout.model, version=version, since_minute=_stage_minute(rollout)
        )
        for behaviour in counted.values():
            controls.setdefault(node_class, Behaviour()).merge(behaviour)
    return controls


def _replaced_versions(rollout: Rollout, known: Known) -> set[tuple[str, str]]:
    """Return the node classes in the rollout so far, each with the versions that its nodes had before."""
    pairs: Iterable[tuple[str, Previous | None]] = (
        (known.nodes[node_id].node_class, previous)
        for node_id, previous in rollout.previous.items()
        if node_id in known.nodes
    )
    replaced = ((node_class, _other_version(rollout, previous)) for node_class, previous in pairs)
    return {(node_class, version) for node_class, version in replaced if version is not None}


def _other_version(rollout: Rollout, previous: Previous | None) -> str | None:
    return previous.version if previous and previous.version != rollout.version else None


def _is_of(known: Known, node_id: str, node_class: str) -> bool:
    return node_id in known.nodes and known.nodes[node_id].node_class == node_class


def _first_minute(events: Sequence[EventRow], otherwise: int) -> int:
    return min((event.corrected_at_ns // _MINUTE_NS for event in events), default=otherwise)


def _stage_minute(rollout: Rollout) -> int:
    return int((rollout.current.started_at_s or 0.0) // _MINUTE_S)
