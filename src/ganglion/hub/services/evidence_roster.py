"""Who takes part in a rollout, what they told of it, and who still runs what it replaces.

A small fleet is read anew at each look. Of a large one everything that nodes tell by events is read anew, and what the
control database says of its nodes is read every few minutes: that costs seconds with a hundred thousand nodes.
"""

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from ganglion.hub.domain import lifecycle
from ganglion.hub.domain.rollout import Previous, Rollout
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.many_nodes import NodeSight, Reporter
from ganglion.wire import codec
from ganglion.wire.desired import ModelStatus, NodeReport, UpdateState

LARGE_NODES = 2000
"""A fleet of more nodes is a large one."""
REFRESHED_S = 300.0
_ROLLOUTS_KEPT = 4
_AT_ONCE = 1000
SAMPLE_NODES = 200
"""Nodes of a stage, and controls, whose work is counted; of more, so many are chosen, spread over classes and sites."""


class Member(NamedTuple):
    """What is known of one node. A tuple: there are as many as nodes."""

    node_id: str
    name: str
    node_class: str
    site: str
    heard_at_s: float
    reports_commit: bool = False
    """Its report says that it has the rollout's version for good."""


class _Placed(Protocol):
    @property
    def node_id(self) -> str: ...
    @property
    def node_class(self) -> str: ...
    @property
    def site(self) -> str: ...


P = TypeVar("P", bound=_Placed)


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


def spread(members: Iterable[P], seed: str, *, limit: int) -> list[P]:
    """Return so many at most, the same ones at each look, as many of each class and site as there can be."""
    groups: dict[tuple[str, str], list[P]] = {}
    for member in members:
        groups.setdefault((member.node_class, member.site), []).append(member)
    if sum(map(len, groups.values())) <= limit:
        return [member for _, group in sorted(groups.items()) for member in group]
    sizes, rounds, ranked = [len(group) for group in groups.values()], 1, []
    while sum(min(size, rounds) for size in sizes) < limit:
        rounds += 1
    for key, group in groups.items():
        ordered = heapq.nsmallest(
            rounds, group, key=lambda each: hashlib.sha256(f"{seed} {each.node_id}".encode()).digest()
        )
        ranked += [(place, key, member) for place, member in enumerate(ordered)]
    ranked.sort(key=lambda entry: entry[:2])
    return [member for _, _, member in ranked[:limit]]


def replaced_version(rollout: Rollout, previous: Previous | None) -> str | None:
    """Return the version that a node had before, when it was another."""
    return previous.version if previous and previous.version != rollout.version else None


def _read(tx: ControlTransaction, rollout: Rollout, now_s: float) -> Roster:
    fleet = {sight.node_id: sight for sight in tx.node_sights() if lifecycle.takes_part(sight)}
    heard, reporting = tx.heard(), _reporting(tx, rollout, fleet)
    members = {node_id: _member(fleet[node_id], heard, reporting) for node_id in _given(rollout) if node_id in fleet}
    controls = _controls(tx, rollout, fleet, members)
    counted = counted_of(rollout, members)
    told = tx.nodes_of([*(control.member.node_id for control in controls), *counted])
    machine = {row.node_id: report.machine for row in told if (report := report_of(row)) and report.machine}
    return Roster(
        members=members,
        controls=controls,
        counted=counted,
        machine=machine,
        reporting=frozenset(reporting),
        read_at_s=now_s,
        stage=rollout.stage,
        fleet=len(fleet),
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


def _reporting(tx: ControlTransaction, rollout: Rollout, fleet: Mapping[str, NodeSight]) -> set[str]:
    """Return the nodes that were given the version, have not told of a commit, and report one."""
    unheard = [node_id for node_id in rollout.previous if node_id not in rollout.committed and node_id in fleet]
    incarnation, found = known_incarnation(tx), set[str]()
    for begin in range(0, len(unheard), _AT_ONCE):
        rows = tx.reports_of(unheard[begin : begin + _AT_ONCE])
        found |= {row.node_id for row in rows if _reports_commit(row, rollout, incarnation)}
    return found


def _member(sight: NodeSight, heard: Mapping[str, float], reporting: set[str]) -> Member:
    node_id = sight.node_id
    return Member(node_id, sight.name, sight.node_class, sight.site, heard.get(node_id, 0.0), node_id in reporting)


def _reports_commit(row: Reporter, rollout: Rollout, incarnation: str) -> bool:
    told = told_in(row)
    if told is None or not is_current(told, row, incarnation):
        return False
    return any(
        status.model == rollout.model
        and status.committed == rollout.version
        and status.update_state in ("", UpdateState.COMMITTED)
        for status in told.models
    )


class Told(msgspec.Struct, frozen=True):
    """What a report says of models, and of which desired state: a third of the work of reading all of it."""

    incarnation: str
    revision: int
    models: tuple[ModelStatus, ...] = ()


def told_in(row: Reporter) -> Told | None:
    """Return what a node's newest report says of models, or None before the first."""
    return codec.decode_json(row.report, Told) if row.report else None


def is_current(report: NodeReport | Told, node: Reporter, incarnation: str) -> bool:
    """Say whether a report was made after the node took in its newest desired state."""
    return report.incarnation == incarnation and report.revision >= node.desired_revision


def _controls(
    tx: ControlTransaction, rollout: Rollout, fleet: Mapping[str, NodeSight], members: Mapping[str, Member]
) -> list[Control]:
    replaced = {
        (members[node_id].node_class, version)
        for node_id, previous in rollout.previous.items()
        if node_id in members and (version := replaced_version(rollout, previous)) is not None
    }
    versions = {
        node_id: version
        for node_id, version in sorted(tx.assigned_versions(rollout.model).items())
        if node_id in fleet and (fleet[node_id].node_class, version) in replaced
    }
    chosen = spread([fleet[node_id] for node_id in versions], rollout.rollout_id, limit=SAMPLE_NODES)
    return [Control(_member(sight, {}, set()), versions[sight.node_id]) for sight in chosen]
