"""Who takes part in a rollout, what they told of it, and who still runs what it replaces.

A small fleet is read anew at each look. Of a large one everything that nodes tell by events is read anew, and what the
control database says of its nodes is read every few minutes: that costs seconds with a hundred thousand nodes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.hub.domain import lifecycle
from ganglion.hub.domain.rollout import Previous, Rollout
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.hub_store import ControlStore, ControlTransaction, NodeRow
from ganglion.wire.desired import NodeReport, UpdateState

LARGE_NODES = 2000
"""A fleet of more nodes is a large one."""
REFRESHED_S = 300.0
_ROLLOUTS_KEPT = 4
SAMPLE_NODES = 200
"""Nodes of a stage, and controls, whose work is counted; of more, so many are chosen, spread over classes and sites."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of one node."""

    node_id: str
    name: str
    node_class: str
    site: str
    heard_at_s: float
    reports_commit: bool = False
    """Its report says that it has the rollout's version for good."""


@dataclass(frozen=True, slots=True)
class Control:
    """A node that still runs a version that the rollout replaces elsewhere."""

    member: Member
    version: str


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody in a rollout at one moment."""

    members: Mapping[str, Member]
    """Active nodes by id: a revoked one has left the fleet, and is neither silent nor anything else."""
    controls: Sequence[Control]
    counted: Mapping[str, Member]
    """Those whose work is counted."""
    machine: Mapping[str, Mapping[str, float]]
    """Figures of machines by node, of the controls and of those whose work is counted."""
    reporting: frozenset[str]
    """Those whose report says that they have the version for good."""
    read_at_s: float
    stage: int
    fleet: int
    """Active nodes, in the rollout or not."""


@dataclass(slots=True)
class Rosters:
    """Reads rosters, and keeps those of large rollouts for some minutes."""

    control: ControlStore
    _kept: dict[str, Roster] = field(default_factory=dict)

    def of(self, rollout: Rollout, *, now_s: float) -> Roster:
        """Return who takes part."""
        kept = self._kept.get(rollout.rollout_id)
        if kept and kept.stage == rollout.stage and 0.0 <= now_s - kept.read_at_s < REFRESHED_S:
            return kept
        with self.control.read() as tx:
            roster = _read(tx, rollout, now_s)
        self._kept.pop(rollout.rollout_id, None)
        if roster.fleet > LARGE_NODES:
            self._kept[rollout.rollout_id] = roster
            while len(self._kept) > _ROLLOUTS_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return roster


def spread(members: Iterable[Member], seed: str, *, limit: int) -> list[Member]:
    """Return so many at most, the same ones at each look, as many of each class and site as there can be."""
    groups: dict[tuple[str, str], list[Member]] = {}
    for member in members:
        groups.setdefault((member.node_class, member.site), []).append(member)
    if sum(map(len, groups.values())) <= limit:
        return [member for _, group in sorted(groups.items()) for member in group]
    ranked = []
    for key, group in groups.items():
        ordered = sorted(group, key=lambda member: hashlib.sha256(f"{seed} {member.node_id}".encode()).digest())
        ranked += [(place, key, member) for place, member in enumerate(ordered[:limit])]
    ranked.sort(key=lambda entry: entry[:2])
    return [member for _, _, member in ranked[:limit]]


def replaced_version(rollout: Rollout, previous: Previous | None) -> str | None:
    """Return the version that a node had before, when it was another."""
    return previous.version if previous and previous.version != rollout.version else None


def _read(tx: ControlTransaction, rollout: Rollout, now_s: float) -> Roster:
    rows = {row.node_id: row for row in tx.nodes() if lifecycle.takes_part(row)}
    incarnation = known_incarnation(tx)
    members = {node_id: _member(rows[node_id], rollout, incarnation) for node_id in _given(rollout) if node_id in rows}
    controls = _controls(tx, rollout, rows, members)
    counted = counted_of(rollout, members)
    told = [*(control.member.node_id for control in controls), *counted]
    machine = {node_id: report.machine for node_id in told if (report := report_of(rows[node_id])) and report.machine}
    return Roster(
        members=members,
        controls=controls,
        counted=counted,
        machine=machine,
        reporting=frozenset(node_id for node_id, member in members.items() if member.reports_commit),
        read_at_s=now_s,
        stage=rollout.stage,
        fleet=len(rows),
    )


def counted_of(rollout: Rollout, members: Mapping[str, Member]) -> Mapping[str, Member]:
    """Return by id the nodes whose work is counted: all of a small rollout, of each part of a large one some."""
    earlier = {node_id for stage in rollout.stages[: rollout.stage] for node_id in stage.node_ids}
    parts: tuple[list[Member], list[Member]] = ([], [])
    for node_id in _given(rollout):
        if node_id in members:
            parts[node_id in earlier].append(members[node_id])
    chosen = (member for part in parts for member in spread(part, rollout.rollout_id, limit=SAMPLE_NODES))
    return {member.node_id: member for member in chosen}


def _given(rollout: Rollout) -> dict[str, None]:
    """Return the nodes of the stages so far, and all that were given the version."""
    return dict.fromkeys(
        [*(node_id for stage in rollout.stages[: rollout.stage + 1] for node_id in stage.node_ids), *rollout.previous]
    )


def _member(row: NodeRow, rollout: Rollout, incarnation: str) -> Member:
    is_open = row.node_id in rollout.previous and row.node_id not in rollout.committed
    return Member(
        node_id=row.node_id,
        name=row.name,
        node_class=row.node_class,
        site=row.site,
        heard_at_s=row.last_seen_at_s or 0.0,
        reports_commit=is_open and _reports_commit(row, rollout, incarnation),
    )


def _reports_commit(row: NodeRow, rollout: Rollout, incarnation: str) -> bool:
    report = report_of(row)
    if report is None or not is_current(report, row, incarnation):
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


def _controls(
    tx: ControlTransaction, rollout: Rollout, rows: Mapping[str, NodeRow], members: Mapping[str, Member]
) -> list[Control]:
    replaced = {
        (members[node_id].node_class, version)
        for node_id, previous in rollout.previous.items()
        if node_id in members and (version := replaced_version(rollout, previous)) is not None
    }
    versions = {
        row.node_id: row.version
        for row in tx.assignments(model=rollout.model)
        if row.node_id in rows and (rows[row.node_id].node_class, row.version) in replaced
    }
    candidates = [_bare(rows[node_id]) for node_id in versions]
    chosen = spread(candidates, rollout.rollout_id, limit=SAMPLE_NODES)
    return [Control(member, versions[member.node_id]) for member in chosen]


def _bare(row: NodeRow) -> Member:
    return Member(row.node_id, row.name, row.node_class, row.site, row.last_seen_at_s or 0.0)
