"""Looks at every rollout after every step of the hub, tells the laws, and writes the timeline.

Some planted errors sit here, too: what a worse hub would have done with the same rollout.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from ganglion.hub.domain.nodes.lifecycle import takes_part
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.ports.hub_store import AssignmentRow, RolloutRow
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.laws.every_law import Laws
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.hub import BESIDE, COMMITTED, FIRST, MODEL, Hub

_OPEN = ("scheduled", "queued", "awaiting_approval", "running", "paused")


class RolloutWatch:
    """The stage that each rollout was last seen in."""

    def __init__(self, hub: Hub, laws: Laws, bugs: frozenset[Bug], note: Callable[[str], None]) -> None:
        self._hub, self._laws, self._bugs, self._note = hub, laws, bugs, note
        self._seen: dict[str, tuple[bytes, int, str]] = {}
        self._ordered: set[tuple[str, int]] = set()
        self._retried: dict[tuple[str, str, float], float] = {}
        """When a node was really given a version anew, by rollout, node, and the time that the hub's clock showed."""

    def open_rollouts(self) -> list[str]:
        """Return the rollouts that go on."""
        return [row.rollout_id for row in self._hub.control.tables.rollouts.values() if row.state in _OPEN]

    def ordered(self, rollout_id: str) -> None:
        """A person lets the present stage be left: the gate's word is not needed there."""
        self._ordered.add((rollout_id, self._document(rollout_id).stage))

    def forget(self) -> None:
        """The hub was restored: every rollout is news."""
        self._seen.clear()

    def tick(self, now_s: float, away: Callable[[], Collection[str]]) -> None:
        """Let the hub look at its rollouts. `away` tells which nodes cannot be reached."""
        before = dict(self._hub.control.tables.assignments) if self._bugs else {}
        open_before = self.open_rollouts()
        if Bug.GATE_COUNTS_SILENT in self._bugs:
            self._forge(open_before)
        self._hub.rollouts.tick()
        if Bug.STAGE_WITHOUT_GATE in self._bugs:
            for rollout_id in self.open_rollouts():
                if self._document(rollout_id).state.value == "running":
                    self._hub.rollouts.promote(rollout_id, actor="impatience")
        for rollout_id in open_before:
            if self._hub.control.tables.rollouts[rollout_id].state == "aborted":
                self.spoil_abort(rollout_id, before, away)
        self.look(now_s)

    def look(self, now_s: float) -> None:
        """Compare what changed with what may change."""
        for rollout_id, row in self._hub.control.tables.rollouts.items():
            seen = self._seen.get(rollout_id)
            if seen is not None and seen[0] is row.document:
                continue
            rollout = self._whole(row)
            for node_id, said_s in rollout.retried_at_s.items():
                self._retried.setdefault((rollout_id, node_id, said_s), now_s)
            self._judge(now_s, rollout, seen[1] if seen else rollout.stage)
            left = len(rollout.stages) if row.state == "completed" else rollout.stage
            if seen is None or seen[1:] != (left, row.state):
                self._tell(rollout)
            self._seen[rollout_id] = row.document, left, row.state
        is_open = bool(self.open_rollouts() or self._hub.experiment_running())
        if self._hub.counts_wanted and not is_open:
            self._hub.telemetry.forget_counts()
        self._hub.counts_wanted = is_open

    def newest_aborted(self) -> Rollout | None:
        """Return the newest rollout if it was aborted."""
        rows = list(self._hub.control.tables.rollouts.values())
        if not rows:
            return None
        newest = self._whole(rows[-1])
        return newest if rows[-1].state == "aborted" else None

    def spoil_abort(
        self, rollout_id: str, before: dict[tuple[str, str], AssignmentRow], away: Callable[[], Collection[str]]
    ) -> None:
        """Undo what an abort did right, as the planted error would."""
        tables = self._hub.control.tables
        gone = away() if Bug.ABORT_FORGETS_LATE_RETURNERS in self._bugs else ()
        for (node_id, model), row in before.items():
            if model != MODEL or row.rollout_id != rollout_id:
                continue
            if node_id in gone:
                tables.assignments[node_id, MODEL] = row
            if Bug.REVERT_TO_ANOTHER_MODEL in self._bugs:
                tables.assignments[node_id, MODEL] = row
                beside = tables.assignments[node_id, BESIDE]
                tables.assignments[node_id, BESIDE] = replace(beside, version=FIRST, rollout_id=rollout_id)

    def _judge(self, now_s: float, rollout: Rollout, stage: int) -> None:
        left = len(rollout.stages) if rollout.state.value == "completed" else rollout.stage
        nodes = self._hub.control.tables.nodes
        for index in range(stage, left):
            of_stage = rollout.stages[index]
            by_person = (rollout.rollout_id, index) in self._ordered
            self._laws.previous.left(now_s, rollout.rollout_id, index, verdict=of_stage.verdict, by_person=by_person)
            heard = self._hub.told.get(rollout.rollout_id, {})
            # What a node told before it was given the version anew counts no more.
            spoke = {each for each, at_s in heard.items() if at_s >= self._retried_s(rollout, each)}
            # A node that went back within what the gate allows is no silent one, and is not waited for either. One that
            # was left behind counts again when it speaks.
            gone = (rollout.left_behind.keys() - spoke) | self._hub.went_back.get(rollout.rollout_id, set())
            active = [each for each in of_stage.node_ids if takes_part(nodes[each]) and each not in gone]
            told = len(spoke.intersection(active))
            if not by_person:
                self._laws.silence.left(
                    now_s, rollout.rollout_id, told=told, nodes=len(active), share=rollout.gate.reports_min_share
                )
        given = {
            node_id
            for (node_id, model), row in self._hub.control.tables.assignments.items()
            if model == MODEL and row.rollout_id == rollout.rollout_id
        }
        later = {node_id for each in rollout.stages[rollout.next_stage :] for node_id in each.node_ids}
        self._laws.previous.touched(now_s, rollout.rollout_id, given & later)

    def _retried_s(self, rollout: Rollout, node_id: str) -> float:
        said_s = rollout.retried_at_s.get(node_id)
        return -1.0 if said_s is None else self._retried[rollout.rollout_id, node_id, said_s]

    def _tell(self, rollout: Rollout) -> None:
        where = f"{rollout.model}:{rollout.version}"
        if rollout.state.value in _OPEN:
            stage = rollout.current
            place = f"stage {rollout.stage + 1} of {len(rollout.stages)} ({len(stage.node_ids)} nodes)"
            what = f"{rollout.state.value}, {place}"
        else:
            what = rollout.state.value
        reason = f": {rollout.reason}" if rollout.reason else ""
        self._note(f"rollout of {where} {what}{reason}")

    def _forge(self, open_rollouts: list[str]) -> None:
        for rollout_id in open_rollouts:
            rollout = self._document(rollout_id)
            for node_id in rollout.current.node_ids:
                self._hub.telemetry.tell(
                    EventRow(
                        node_id=node_id,
                        epoch="forged",
                        seq=1,
                        at_ns=0,
                        name=COMMITTED,
                        model=MODEL,
                        version=rollout.version,
                        rollout_id=rollout_id,
                        reason="",
                        facts=b"{}",
                        corrected_at_ns=0,
                    )
                )

    def _document(self, rollout_id: str) -> Rollout:
        return self._whole(self._hub.control.tables.rollouts[rollout_id])

    def _whole(self, row: RolloutRow) -> Rollout:
        with self._hub.control.read() as tx:
            return rollout_rows.whole(tx, row)
