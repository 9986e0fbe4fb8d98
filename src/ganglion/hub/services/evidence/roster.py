"""Who takes part in a rollout, what they told of it, and who still runs what it replaces.

A small fleet is read anew at each look. What the control database says of a large one is read every few minutes, and a
part of it at each look: all at once that costs seconds with a hundred thousand nodes.
"""

import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.rollouts.document import Previous, Rollout
from ganglion.hub.services.evidence.events import MANY_NODES
from ganglion.hub.services.evidence.sample import rank, spread
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.hub.services.nodes.fleet import report_of
from ganglion.ports.hub_store import ControlStore, ControlTransaction
from ganglion.ports.many_nodes import Reporter
from ganglion.wire import codec
from ganglion.wire.desired import ModelStatus, NodeReport, UpdateState

LARGE_NODES = 2000
"""A fleet of more nodes is a large one."""
REFRESHED_S = 300.0
_SMALL, _WHOLE_FLEET = 1, 4
"""What a part costs: a thousand reports, or a walk over a hundred thousand nodes that are known already."""
ROLLOUTS_KEPT = 8
"""More large rollouts at the same time are read whole at every look."""
SAMPLE_NODES = 200
"""Nodes of a stage, and controls, whose work is counted; of more, so many are chosen, spread over classes and sites."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """From how many on nodes are many, and how much is read of them at a time."""

    fleet_nodes: int = LARGE_NODES
    told_nodes: int = MANY_NODES
    sample_nodes: int = SAMPLE_NODES
    refreshed_s: float = REFRESHED_S
    sights_at_once: int = 2500
    reports_at_once: int = 1000


class Member(msgspec.Struct, frozen=True, gc=False):
    """What is known of one node. There are as many as nodes, so the collector of garbage leaves them alone."""

    node_id: str
    name: str
    node_class: str
    site: str
    heard_at_s: float = 0.0
    """Known only where the rollout sets silent nodes aside."""


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
class _Kept:
    """What is known of a large rollout."""

    roster: Roster | None = None
    reading: "_Reading | None" = None


@dataclass(slots=True)
class Rosters:
    """Reads rosters, and keeps those of large rollouts for some minutes."""

    control: ControlStore
    sizes: Sizes = Sizes()
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def of(self, rollout: Rollout, *, now_s: float) -> Roster:
        """Return who takes part, however long it takes to read."""
        roster = self.so_far(rollout, now_s=now_s, steps=sys.maxsize)
        assert roster is not None, "no step was spared"
        return roster

    def so_far(self, rollout: Rollout, *, now_s: float, steps: int) -> Roster | None:
        """Return who takes part, or None while a large roster of which nothing is known has parts left to read.

        One that is known and has become old is read anew over the next calls.
        """
        kept = self._known(rollout)
        if kept.roster is None:
            return self._read_on(kept, rollout, now_s, steps=steps)
        if not 0.0 <= now_s - kept.roster.read_at_s < self.sizes.refreshed_s:
            return self._read_on(kept, rollout, now_s, steps=1) or kept.roster
        return kept.roster

    def _known(self, rollout: Rollout) -> _Kept:
        kept = self._kept.pop(rollout.rollout_id, None) or _Kept()
        if kept.roster and kept.roster.stage != rollout.stage:
            kept.roster = None
        if kept.reading and kept.reading.stage != rollout.stage:
            kept.reading = None
        self._kept[rollout.rollout_id] = kept
        while len(self._kept) > ROLLOUTS_KEPT:
            self._kept.pop(next(iter(self._kept)))
        return kept

    def _read_on(self, kept: _Kept, rollout: Rollout, now_s: float, *, steps: int) -> Roster | None:
        """Read so many parts; return the roster with the last one. A small fleet is always read whole."""
        kept.reading = kept.reading or _Reading(rollout.stage, self.sizes)
        with self.control.read() as tx:
            while True:
                roster = kept.reading.step(tx, rollout, now_s)
                if roster is not None:
                    kept.reading, kept.roster = None, roster if roster.fleet > self.sizes.fleet_nodes else None
                    return roster
                steps -= kept.reading.cost
                if steps <= 0 and kept.reading.fleet_so_far > self.sizes.fleet_nodes:
                    return None


def replaced_version(rollout: Rollout, previous: Previous | None) -> str | None:
    """Return the version that a node had before, when it was another."""
    return previous.version if previous and previous.version != rollout.version else None


class _Reading:
    """A roster that is being read, part after part."""

    def __init__(self, stage: int, sizes: Sizes) -> None:
        self.stage, self._sizes = stage, sizes
        self._fleet: dict[str, Member] = {}
        self._ranks: dict[str, bytes] = {}
        self._reporting: set[str] = set()
        self._versions: dict[str, str] = {}
        self._parts = self._read()
        self.cost = next(self._parts)
        """Of the part before, in small ones."""

    @property
    def fleet_so_far(self) -> int:
        """Return how many nodes were read."""
        return len(self._fleet)

    def step(self, tx: ControlTransaction, rollout: Rollout, now_s: float) -> Roster | None:
        """Read one more part; return the roster with the last one."""
        try:
            self.cost = self._parts.send((tx, rollout, now_s))
        except StopIteration as done:
            roster: Roster = done.value
            return roster
        return None

    def _read(self) -> Generator[int, "_Step", Roster]:
        """Take a step after each `yield`. What nodes are, and who was given the version, is that of the last steps."""
        tx, rollout, _ = yield 0
        heard = tx.heard() if rollout.gate.silence_s_max > 0.0 else {}
        after: str | None = ""
        while after is not None:
            after = self._add_sights(tx, rollout, heard, after)
            tx, rollout, _ = yield _SMALL
        unheard = [
            node_id for node_id in rollout.previous if node_id not in rollout.committed and node_id in self._fleet
        ]
        for begin in range(0, len(unheard), self._sizes.reports_at_once):
            self._add_reports(tx, rollout, unheard[begin : begin + self._sizes.reports_at_once])
            tx, rollout, _ = yield _SMALL
        members = {node_id: self._fleet[node_id] for node_id in _given(rollout) if node_id in self._fleet}
        tx, rollout, _ = yield _WHOLE_FLEET
        counted = dict[str, Member]()
        for part in _counted_parts(rollout, members):
            chosen = spread(part, rollout.rollout_id, limit=self._sizes.sample_nodes, ranks=self._ranks)
            counted |= {member.node_id: member for member in chosen}
            tx, rollout, _ = yield _WHOLE_FLEET
        controls = self._controls(rollout, members)
        tx, rollout, now_s = yield _WHOLE_FLEET
        told = tx.nodes_of([*(control.member.node_id for control in controls), *counted])
        machine = {row.node_id: report.machine for row in told if (report := report_of(row)) and report.machine}
        return Roster(
            members=members,
            controls=controls,
            counted=counted,
            machine=machine,
            reporting=frozenset(self._reporting),
            read_at_s=now_s,
            stage=self.stage,
            fleet=len(self._fleet),
        )

    def _add_sights(
        self, tx: ControlTransaction, rollout: Rollout, heard: Mapping[str, float], after: str
    ) -> str | None:
        """Read nodes, and what they are assigned; return the name of the last one, or None when there are no more."""
        sights = tx.node_sights(after=after, limit=self._sizes.sights_at_once)
        for each in sights:
            if lifecycle.takes_part(each):
                node_id = each.node_id
                self._fleet[node_id] = Member(node_id, each.name, each.node_class, each.site, heard.get(node_id, 0.0))
                self._ranks[node_id] = rank(rollout.rollout_id, node_id)
        self._versions |= tx.assigned_versions(rollout.model, node_ids=[each.node_id for each in sights])
        return sights[-1].name if len(sights) == self._sizes.sights_at_once else None

    def _add_reports(self, tx: ControlTransaction, rollout: Rollout, node_ids: Sequence[str]) -> None:
        """Note the nodes that were given the version, have not told of a commit, and report one."""
        incarnation = known_incarnation(tx)
        self._reporting |= {
            row.node_id for row in tx.reports_of(node_ids) if _reports_commit(row, rollout, incarnation)
        }

    def _controls(self, rollout: Rollout, members: Mapping[str, Member]) -> list[Control]:
        replaced = {
            (members[node_id].node_class, version)
            for node_id, previous in rollout.previous.items()
            if node_id in members and (version := replaced_version(rollout, previous)) is not None
        }
        found = [
            node_id
            for node_id, version in self._versions.items()
            if node_id in self._fleet and (self._fleet[node_id].node_class, version) in replaced
        ]
        placed = [self._fleet[node_id] for node_id in sorted(found)]
        chosen = spread(placed, rollout.rollout_id, limit=self._sizes.sample_nodes, ranks=self._ranks)
        return [Control(member, self._versions[member.node_id]) for member in chosen]


_Step = tuple[ControlTransaction, Rollout, float]


def _counted_parts(rollout: Rollout, members: Mapping[str, Member]) -> tuple[list[Member], list[Member]]:
    """Return the nodes of this stage and those before, of each of which some are counted: of a small part all."""
    earlier = {node_id for stage in rollout.stages[: rollout.stage] for node_id in stage.node_ids}
    parts: tuple[list[Member], list[Member]] = ([], [])
    for node_id in _given(rollout):
        if node_id in members:
            parts[node_id in earlier].append(members[node_id])
    return parts


def _given(rollout: Rollout) -> dict[str, None]:
    """Return the nodes of the stages so far, and all that were given the version."""
    return dict.fromkeys(
        [*(node_id for stage in rollout.stages[: rollout.stage + 1] for node_id in stage.node_ids), *rollout.previous]
    )


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
