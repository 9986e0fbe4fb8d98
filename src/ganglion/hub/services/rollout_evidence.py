"""Gathers what the gate looks at: who reported what, and the counts of old and new version on the right nodes.

Outcomes come from the nodes' own events of this rollout; a report that says "committed" counts too, since
a node that had the version already has nothing to tell. Minutes are those of corrected event time, so that a wrong
node clock hides nothing; every duration is measured by the hub's clock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain import evidence as ev
from ganglion.hub.domain import rollout as documents
from ganglion.hub.domain.evidence import HOUR_MINUTES, Evidence, NodeEvidence, Others, Outcome, Work
from ganglion.hub.domain.rollout import Rollout
from ganglion.hub.services.evidence_counts import Counts, Hours
from ganglion.hub.services.evidence_events import NOTHING_TOLD, Events, Told
from ganglion.hub.services.evidence_roster import Member, Roster, Rosters, replaced_version
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore, TelemetryTransaction

_MINUTE_S = 60
_DAY_HOURS = 24
_ROLLOUTS_KEPT = 16


@dataclass(slots=True)
class _Looks:
    """What is kept between two looks at a rollout's stage. It can be made anew at any time."""

    stage: int
    counts: dict[tuple[str, int], Counts] = field(default_factory=dict)
    """By version and first minute."""
    before: dict[str, dict[str, Behaviour]] = field(default_factory=dict)
    """By version and node: the hour before the stage."""
    days_before: dict[tuple[str, int], dict[str, Behaviour]] = field(default_factory=dict)
    """By version and hour, by node: the same hour a day earlier."""
    _parts: tuple[Roster, tuple[str, ...], list[str], list[str]] | None = None

    def parts(self, rollout: Rollout, roster: Roster) -> tuple[Sequence[str], Sequence[str]]:
        """Return the nodes of the stage and those of the stages before it, as far as they take part."""
        known, node_ids = self._parts, rollout.current.node_ids
        if known is None or known[0] is not roster or known[1] is not node_ids:
            earlier = (node_id for part in rollout.stages[: rollout.stage] for node_id in part.node_ids)
            stage = [node_id for node_id in node_ids if node_id in roster.members]
            known = roster, node_ids, stage, [node_id for node_id in earlier if node_id in roster.members]
            self._parts = known
        return known[2], known[3]


class RolloutEvidence:
    """Reads both stores; changes neither. One thread at a time."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore) -> None:
        self._rosters, self._telemetry = Rosters(control), telemetry
        self._looks: dict[str, _Looks] = {}
        self._events: dict[str, Events] = {}

    def gather(self, rollout: Rollout, *, now_s: float) -> tuple[Rollout, Evidence]:
        """Return the rollout with the commits that are known by now, and the evidence for its gate."""
        roster = self._rosters.of(rollout, now_s=now_s)
        with self._telemetry.read() as records:
            kept = self._kept(rollout)
            events = self._events[rollout.rollout_id]
            events.read(records, rollout, now_s=now_s)
            look = _Look(kept, rollout, roster, events, records, now_s)
            return look.evidence()

    def _kept(self, rollout: Rollout) -> _Looks:
        kept = self._looks.pop(rollout.rollout_id, None)
        if kept is None or kept.stage != rollout.stage:
            kept = _Looks(rollout.stage)
        self._looks[rollout.rollout_id] = kept
        self._events.setdefault(rollout.rollout_id, Events())
        while len(self._looks) > _ROLLOUTS_KEPT:
            oldest = next(iter(self._looks))
            self._looks.pop(oldest)
            self._events.pop(oldest)
        return kept


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one rollout."""

    kept: _Looks
    rollout: Rollout
    roster: Roster
    events: Events
    records: TelemetryTransaction
    now_s: float

    def evidence(self) -> tuple[Rollout, Evidence]:
        members, rollout = self.roster.members, self.rollout
        noted = documents.with_committed(rollout, sorted(self._new_commits()), now_s=self.now_s)
        stage, earlier = self.kept.parts(rollout, self.roster)
        counts = self._counted()
        shown, rest = self._shown(stage)
        controls = self._controls()
        past = self._past(shown, {work.node_class for work in controls})
        return noted, Evidence(
            stage=[self._node(noted, members[node_id], counts.get(node_id, {})) for node_id in shown],
            earlier=[
                self._node(noted, members[node_id], counts.get(node_id, {})) for node_id in self._shown(earlier)[0]
            ],
            others=self._others(noted, rest),
            controls=[*controls, *past],
            past_classes=sorted({work.node_class for work in past}),
            waited_s=noted.waited_s(self.now_s),
            soaked_s=noted.soaked_s(self.now_s),
            stages=len(rollout.stages),
            counted_share=sum(node_id in self.roster.counted for node_id in shown) / max(1, len(stage)),
        )

    def _new_commits(self) -> set[str]:
        given, known = self.rollout.previous, self.rollout.committed
        told = self.events.committed.difference(known) | self.roster.reporting.difference(known)
        return {node_id for node_id in told if node_id in given}

    def _shown(self, node_ids: Sequence[str]) -> tuple[list[str], list[str]]:
        """Part nodes into those that are shown one by one, and the many of a large stage that only have an outcome.

        A node that failed is always shown.
        """
        if len(node_ids) <= len(self.roster.counted):
            return [*node_ids], []
        wanted = self.events.failed | self.roster.counted.keys()
        return [one for one in node_ids if one in wanted], [one for one in node_ids if one not in wanted]

    def _others(self, rollout: Rollout, rest: Sequence[str]) -> Others:
        silent = [node_id for node_id in rest if node_id not in rollout.committed]
        may_be_aside = self.rollout.gate.silence_s_max > 0.0 or bool(self.rollout.left_behind)
        aside = sum(self._is_set_aside(self.roster.members[node_id]) for node_id in silent) if may_be_aside else 0
        return Others(committed=len(rest) - len(silent), silent=len(silent) - aside, set_aside=aside)

    def _told_by(self, node_id: str) -> Told:
        return self.events.told.get(node_id, NOTHING_TOLD)

    def _node(self, rollout: Rollout, member: Member, hours: Hours) -> NodeEvidence:
        node_id, told = member.node_id, self._told_by(member.node_id)
        is_committed = node_id in rollout.committed
        outcome = Outcome.COMMITTED if is_committed else Outcome.SILENT
        outcome = Outcome.ROLLED_BACK if told.is_rolled_back else outcome
        replaced = replaced_version(rollout, rollout.previous.get(node_id))
        return NodeEvidence(
            name=member.name,
            node_class=member.node_class,
            outcome=outcome,
            reason=told.reason,
            behaviour=_total(hours),
            has_previous=replaced is not None and not told.knew,
            site=member.site,
            hours=hours,
            machine=self.roster.machine.get(node_id, {}) if is_committed else {},
            before=self._before(replaced, node_id),
            is_set_aside=outcome is Outcome.SILENT and self._is_set_aside(member),
            has_crashed=told.has_crashed,
        )

    def _is_set_aside(self, member: Member) -> bool:
        rollout, node_id = self.rollout, member.node_id
        if node_id in rollout.left_behind:
            return True
        given_at_s = rollout.given_at_s.get(node_id, rollout.current.started_at_s or 0.0)
        silent_s = self.now_s - max(member.heard_at_s, given_at_s)
        return 0.0 < rollout.gate.silence_s_max <= silent_s

    def _counted(self) -> dict[str, Hours]:
        """Return the new version's counts of each node. Nodes that began in the same minute share a query."""
        since: dict[int, list[str]] = {}
        for node_id in self.roster.counted:
            since.setdefault(self._since(node_id), []).append(node_id)
        found: dict[str, Hours] = {}
        for minute, node_ids in sorted(since.items()):
            found |= self._read(self.rollout.version, minute, node_ids)
        return found

    def _since(self, node_id: str) -> int:
        again_at_s = self.rollout.retried_at_s.get(node_id, 0.0)
        begins = max(self._stage_minute(), int(again_at_s // _MINUTE_S))
        told = self._told_by(node_id).first_minute
        # A clock that was put right meanwhile has dated this attempt before its beginning.
        if told is None or told >= begins or again_at_s or node_id not in self.rollout.current.node_ids:
            return begins
        return told

    def _stage_minute(self) -> int:
        return int((self.rollout.current.started_at_s or 0.0) // _MINUTE_S)

    def _minute(self) -> int:
        return int(self.now_s // _MINUTE_S)

    def _read(self, version: str, since: int, node_ids: Sequence[str]) -> dict[str, Hours]:
        key = version, since
        if key not in self.kept.counts:
            self.kept.counts[key] = Counts(model=self.rollout.model, version=version, since_minute=since)
        return self.kept.counts[key].read(self.records, node_ids, minute=self._minute())

    def _controls(self) -> list[Work]:
        """Return what the replaced versions did since the stage began, on nodes that still have them."""
        by_version: dict[str, dict[str, Member]] = {}
        for control in self.roster.controls:
            by_version.setdefault(control.version, {})[control.member.node_id] = control.member
        return [
            self._work(by_version[version][node_id], hours)
            for version in sorted(by_version)
            for node_id, hours in self._read(version, self._stage_minute(), [*by_version[version]]).items()
        ]

    def _work(self, member: Member, hours: Hours) -> Work:
        machine = self.roster.machine.get(member.node_id, {})
        return Work(member.name, member.node_class, member.site, _total(hours), hours, machine)

    def _past(self, stage: Sequence[str], present: Collection[str]) -> list[Work]:
        """Return what the replaced versions did a day before on the stage's own nodes, for classes without controls."""
        past = []
        for node_id in stage:
            member = self.roster.members[node_id]
            replaced = replaced_version(self.rollout, self.rollout.previous.get(node_id))
            if replaced is None or node_id not in self.roster.counted or member.node_class in present:
                continue
            hours = self._days_before(replaced, node_id)
            before = self._before(replaced, node_id)
            if not hours and before.requests:
                hours = {self._stage_minute() // HOUR_MINUTES: before}
            if hours:
                past.append(self._work(member, hours))
        return past

    def _days_before(self, version: str, node_id: str) -> Hours:
        """Return what was there a day earlier, under the hours of this stage that are over or running."""
        first, last = (minute // HOUR_MINUTES for minute in (self._stage_minute(), self._minute()))
        found: Hours = {}
        for hour in range(first, last + 1):
            key = version, hour
            if key not in self.kept.days_before:
                began = (hour - _DAY_HOURS) * HOUR_MINUTES
                self.kept.days_before[key] = self._had(version, began, began + HOUR_MINUTES)
            if node_id in self.kept.days_before[key]:
                found[hour] = self.kept.days_before[key][node_id]
        return found

    def _before(self, version: str | None, node_id: str) -> Behaviour:
        """Return what the version before did here in the hour before the stage."""
        if version is None or node_id not in self.roster.counted:
            return ev.NOTHING
        if version not in self.kept.before:
            begins = self._stage_minute()
            self.kept.before[version] = self._had(version, begins - HOUR_MINUTES, begins)
        return self.kept.before[version].get(node_id, ev.NOTHING)

    def _had(self, version: str, since: int, until: int) -> dict[str, Behaviour]:
        return self.records.behaviour(
            node_ids=[*self.roster.counted],
            model=self.rollout.model,
            version=version,
            since_minute=since,
            until_minute=until,
        )


def _total(hours: Hours) -> Behaviour:
    if not hours:
        return ev.NOTHING
    return next(iter(hours.values())) if len(hours) == 1 else ev.merged(hours.values())
