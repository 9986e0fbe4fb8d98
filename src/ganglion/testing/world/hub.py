"""The hub: the shipped services for desired states, reports, rollouts and restoration, on the world's clock."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from ganglion.core.errors import EpochTaken
from ganglion.hub.domain.nodes.lifecycle import takes_part
from ganglion.hub.services.experiments.experiments import Experiments
from ganglion.hub.services.incarnation import incarnation_of
from ganglion.hub.services.nodes.desired import Desired, assignment_row
from ganglion.hub.services.nodes.fleet import Fleet
from ganglion.hub.services.releases.repository import Repository
from ganglion.hub.services.restoration import Restoration
from ganglion.hub.services.rollouts import experiment_rows
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import NodeRow, ReleaseRow
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.chance import SeededChance
from ganglion.testing.laws.every_law import Laws
from ganglion.testing.laws.intervals import Intervals
from ganglion.testing.memory_control import ControlTables
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.clock import Agenda, HubClock
from ganglion.testing.world.habits import HABITS, Habit, counts, seen_at
from ganglion.testing.world.hub_door import Door
from ganglion.testing.world.hub_records import Cursor, HubKilled, HubRecords, RunBatch
from ganglion.testing.world.hub_stores import WorldControlStore, WorldTelemetryStore
from ganglion.testing.world.runs import Run
from ganglion.wire import codec
from ganglion.wire.desired import DeploymentPolicy, DesiredState, NodeReport
from ganglion.wire.identity import NodeFacts
from ganglion.wire.records import RecordClass

MODEL, BESIDE = "meter", "label"
"""What is rolled out, and a model beside it that everybody has and nobody touches."""
FIRST = "1"
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")
COMMITTED, ROLLED_BACK = "update.committed", "update.rolled_back"
_MIXED_UP = 0.2
"""Share of the polls that the planted error answers with another node's state."""


class _NoMetadata:
    """Signing has no part in this world: bytes are told apart by their digests alone."""

    def recover(self) -> None:
        """Find nothing to recover."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied away, of every store at one moment."""

    control: ControlTables
    events: dict[str, list[EventRow]]
    cursors: dict[tuple[str, str], Cursor]
    stored: dict[int, Intervals]
    told: dict[str, dict[str, float]]
    deeds: Counter[tuple[str, str]]


class Hub:
    """What nodes and operators talk to. While it is `down`, the world lets nobody through."""

    def __init__(
        self, *, agenda: Agenda, seed: int, laws: Laws, bugs: frozenset[Bug], wake: Callable[[Sequence[str]], None]
    ) -> None:
        self._agenda, self._laws, self._bugs, self._wake = agenda, laws, bugs, wake
        self.clock, self.chance = HubClock(agenda), SeededChance(seed)
        self.control, self.telemetry = WorldControlStore(), WorldTelemetryStore()
        self.records = HubRecords(laws.once, bugs)
        self.down = 0
        self.told: dict[str, dict[str, float]] = {}
        """By rollout: nodes of whose commit the hub was really told, and when it last was, by true time."""
        self.went_back: dict[str, set[str]] = {}
        """By rollout: nodes that told of a failed attempt, and of no commit since."""
        self.owners: dict[int, str] = {}
        """By machine: the node that it is."""
        self.habits: dict[str, Habit] = {FIRST: HABITS["good"]}
        self.counts_wanted = False
        self.restorations = 0
        self.killed: Callable[[], None] = _nothing
        self._start()
        with self.control.write() as tx:
            incarnation_of(tx, self.chance)

    def _start(self) -> None:
        """Begin as a process does, on what the stores hold."""
        self.desired = Desired(control=self.control, repository_root_version=lambda: 1, changed=self._wake)
        self.fleet = Fleet(control=self.control, telemetry=self.telemetry, desired=self.desired, clock=self.clock)
        self.rollouts = Rollouts(
            control=self.control, telemetry=self.telemetry, desired=self.desired, clock=self.clock, chance=self.chance
        )
        self.experiments = Experiments(
            control=self.control, telemetry=self.telemetry, desired=self.desired, rollouts=self.rollouts,
            clock=self.clock, chance=self.chance,
        )  # fmt: skip
        self.door = Door(
            control=self.control, telemetry=self.telemetry, clock=self.clock, changed=self._wake,
            law=self._laws.borders, bugs=self._bugs,
        )  # fmt: skip
        repository = cast("Repository", _NoMetadata())
        self._restoration = Restoration(
            control=self.control, repository=repository, desired=self.desired, chance=self.chance
        )

    def enrol(self, node_id: str, name: str, site: str) -> None:
        """Add a node that has version 1 of both models."""
        enrolled_at_s = utc_s(self.clock)
        row = NodeRow(
            node_id, name, site, "default", "", FACTS.node_class, codec.encode_json(FACTS), enrolled_at_s
        )  # fmt: skip
        with self.control.write() as tx:
            tx.put_node(row)
            for model in (MODEL, BESIDE):
                release = tx.releases(model, FIRST)[0]
                wish = assignment_row(row, release, rollout_id="", policy=DeploymentPolicy())
                self.desired.assign(tx, wish)

    def release(self, model: str, version: str, size_bytes: int, behaves: str = "good") -> None:
        """Release a version."""
        if model == MODEL:
            self.habits[version] = HABITS[behaves]
        digest = digest_of(model, version)
        self._laws.healthy.signed(model, digest)
        row = ReleaseRow(model, version, "fp32", "any", "onnxruntime", digest, size_bytes, b"{}", self._agenda.now_s)
        with self.control.write() as tx:
            tx.add_release(row)

    def is_released(self, version: str) -> bool:
        """Say whether a version of the model that is rolled out was released."""
        with self.control.read() as tx:
            return bool(tx.releases(MODEL, version))

    def experiment_running(self) -> str:
        """Return the name of the experiment that runs, or ""."""
        # The world asks at every look, and most of its fleets have no experiment at all.
        if not any(kind == experiment_rows.RUNNING for kind, _ in self.control.tables.documents):
            return ""
        with self.control.read() as tx:
            return next(iter(experiment_rows.running(tx)), "")

    def revision(self, node_id: str) -> tuple[str, int]:
        """Return (incarnation, revision) of what is wanted of a node, as a long poll compares it."""
        tables = self.control.tables
        return tables.meta["incarnation"], tables.nodes[node_id].desired_revision

    def wanted(self, node_id: str, *, holds: DesiredState | None) -> DesiredState:
        """Answer a poll."""
        if holds is not None and Bug.RESTORED_HUB_KEEPS_ITS_LIFE not in self._bugs:
            self._restoration.notice(node_id, incarnation=holds.incarnation, revision=holds.revision)
        for model in (MODEL, BESIDE):
            row = self.control.tables.assignments.get((node_id, model))
            if row is not None:
                self._laws.healthy.allowed(node_id, model=model, digest=digest_of(model, row.version))
        if Bug.ANOTHER_NODES_WISH in self._bugs and self.chance.share() < _MIXED_UP:
            nodes = list(self.control.tables.nodes)
            node_id = nodes[int(self.chance.share() * len(nodes))]
        return self.desired.state_of(node_id)

    def take_report(self, node_id: str, report: NodeReport) -> None:
        """Take a report in."""
        self.fleet.take_report(node_id, report)
        rollouts = self.control.tables.rollouts
        for status in report.models:
            if status.model == MODEL:
                for row in rollouts.values():
                    if row.version == status.committed:
                        self._heard(row.rollout_id, node_id)
                    elif row.version == status.update_version and status.update_state == "rolled_back":
                        self.went_back.setdefault(row.rollout_id, set()).add(node_id)

    def take_batch(self, batch: RunBatch) -> tuple[int, bool]:
        """Return the cursor, and whether the epoch belongs to another machine. Raises: DiskUnusable, HubKilled."""
        try:
            cursor, new = self.records.store(batch, self._agenda.now_s)
        except EpochTaken:
            return 0, True
        except HubKilled:
            self.killed()
            raise
        if new:
            self._laws.borders.kept(self._agenda.now_s, as_of=batch.node_id, by=self.owners[new[0].maker])
        for run in new:
            if run.event is not None:
                self._tell(batch, run)
            elif self.counts_wanted and run.kind is RecordClass.RESULT:
                self._count(batch.node_id, run)
        return cursor, False

    def backup(self) -> Backup:
        """Copy everything away."""
        told = {rollout_id: dict(nodes) for rollout_id, nodes in self.told.items()}
        stored = self._laws.once.backup()
        deeds = self._laws.borders.backup()
        return Backup(self.control.backup(), self.telemetry.backup(), self.records.backup(), stored, told, deeds)

    def restore(self, backup: Backup) -> int:
        """Put a backup back and start; return how many records are forgotten."""
        self.control.tables = backup.control
        self.control.tables = self.control.backup()
        self.telemetry.by_rollout = {key: list(rows) for key, rows in backup.events.items()}
        self.telemetry.forget_counts()
        self.records.cursors = {key: cursor.copy() for key, cursor in backup.cursors.items()}
        self.told = {rollout_id: dict(nodes) for rollout_id, nodes in backup.told.items()}
        self.restorations += 1
        for node_id, row in self.control.tables.nodes.items():
            if takes_part(row):
                self._laws.borders.admitted(node_id)
        self._laws.borders.restored(backup.deeds)
        self._start()
        self._laws.previous.hub_restored()
        self._laws.arms.hub_restored()
        return self._laws.once.restored(backup.stored)

    def restart(self) -> None:
        """Lose what is in memory alone."""
        self._start()

    def _heard(self, rollout_id: str, node_id: str) -> None:
        self.told.setdefault(rollout_id, {})[node_id] = self.clock.monotonic_s()
        self.went_back.get(rollout_id, set()).discard(node_id)

    def _tell(self, batch: RunBatch, run: Run) -> None:
        event = run.event
        assert event is not None, "only events are told"
        if event.name == COMMITTED:
            self._heard(event.rollout_id, batch.node_id)
        elif event.name == ROLLED_BACK:
            self.went_back.setdefault(event.rollout_id, set()).add(batch.node_id)
        at_ns = self._ns(run)
        self.telemetry.tell(
            EventRow(
                node_id=batch.node_id,
                epoch=batch.epoch,
                seq=run.seq,
                at_ns=at_ns,
                name=event.name,
                model=event.model,
                version=event.version,
                rollout_id=event.rollout_id,
                reason=event.reason,
                facts=msgspec.json.encode(event.facts),
                corrected_at_ns=at_ns,
            )
        )

    def _count(self, node_id: str, run: Run) -> None:
        site = int(self.control.tables.nodes[node_id].site.removeprefix("site"))
        habit = seen_at(self.habits[run.version], site)
        behaviour = counts(habit, requests=run.count, compared=run.compared)
        self.telemetry.count((node_id, MODEL, run.version), self._ns(run) // 60_000_000_000, behaviour)

    def _ns(self, run: Run) -> int:
        """Return an event time by the hub's clock, whatever the node's clock showed."""
        return self.clock.utc_ns() + round((run.shown_s - self._agenda.now_s) * 1e9)


def digest_of(model: str, version: str) -> str:
    """Return what a version is known by."""
    return hashlib.sha256(f"{model}-{version}".encode()).hexdigest()


def _nothing() -> None:
    """Do nothing: nobody wants to know."""
