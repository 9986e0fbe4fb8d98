"""Gathers what the gate looks at: who reported what, and the counts of old and new version on the right nodes.

Outcomes come from the nodes' own events of this rollout; a report that says "committed" counts too, since
a node that had the version already has nothing to tell. Minutes are those of corrected event time, so that a wrong
node clock hides nothing; every duration is measured by the hub's clock.
"""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import evidence as ev
from ganglion.hub.domain.gate.evidence import HOUR_MINUTES, Evidence, NodeEvidence, Outcome, Work
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.evidence.counts import Counts, Hours, Past, Steps, total
from ganglion.hub.services.evidence.events import NOTHING_TOLD, Events, Told
from ganglion.hub.services.evidence.outcomes import Outcomes, is_silent, last_sign_s
from ganglion.hub.services.evidence.roster import ROLLOUTS_KEPT, Member, Roster, Rosters, Sizes, replaced_version
from ganglion.ports.hub_store import ControlStore
from ganglion.ports.telemetry_store import TelemetryStore, TelemetryTransaction

_MINUTE_S = 60
_DAY_HOURS = 24
_ROLLOUTS_KEPT = 16
_FORGOTTEN_S = 600.0
"""A rollout at which nobody looked for so long is kept for nobody."""
_SIZES = Sizes()
STEPS = 8
"""Parts that a look reads of what is read for the first time, of the many that a large fleet has."""
Key = tuple[str, int]
"""A version, and the minute from which on its work is counted."""


@dataclass(slots=True)
class _Looks:
    """What is kept between two looks at a rollout's stage. It can be made anew at any time."""

    stage: int
    counts: dict[tuple[str, int], Counts] = field(default_factory=dict)
    """By version and first minute."""
    past: dict[tuple[str, int], Past] = field(default_factory=dict)
    """By version and first minute, an hour of it: the one before a stage, and the stage's own a day earlier."""
    began: dict[str, int] = field(default_factory=dict)
    """By node of the stages before: the minute in which its own stage began."""
    outcomes: Outcomes = field(default_factory=Outcomes)


class RolloutEvidence:
    """Reads both stores; changes neither. One thread at a time."""

    def __init__(self, *, control: ControlStore, telemetry: TelemetryStore, sizes: Sizes = _SIZES) -> None:
        self._rosters, self._telemetry, self._sizes = Rosters(control, sizes), telemetry, sizes
        self._looks: dict[str, _Looks] = {}
        self._events: dict[str, Events] = {}
        self._asked_s: dict[str, float] = {}

    def gather(self, rollout: Rollout, *, now_s: float) -> tuple[Rollout, Evidence]:
        """Return the rollout with the commits that are known by now, and the evidence for its gate."""
        found = self.gathered_so_far(rollout, now_s=now_s, steps=sys.maxsize)
        assert found is not None, "no step was spared"
        return found

    def gathered_so_far(self, rollout: Rollout, *, now_s: float, steps: int = STEPS) -> tuple[Rollout, Evidence] | None:
        """Return the same, or None while much is read for the first time: each call reads so many parts of it."""
        steps = steps if self._is_kept(rollout.rollout_id, now_s) else sys.maxsize
        roster = self._rosters.so_far(rollout, now_s=now_s, steps=steps)
        if roster is None:
            return None
        with self._telemetry.read() as records:
            kept = self._kept(rollout)
            events = self._events[rollout.rollout_id]
            left = Steps(steps)
            if not left.all_of([partial(events.read_some, records, rollout, now_s=now_s)]):
                return None
            return _Look(kept, rollout, roster, events, records, now_s).evidence(left)

    def _is_kept(self, rollout_id: str, now_s: float) -> bool:
        """Say whether what is read now will be there at the next look: otherwise parts would never come to an end."""
        recent = {each: at_s for each, at_s in self._asked_s.items() if 0.0 <= now_s - at_s < _FORGOTTEN_S}
        self._asked_s = {**recent, rollout_id: now_s}
        return len(self._asked_s) <= ROLLOUTS_KEPT

    def _kept(self, rollout: Rollout) -> _Looks:
        kept = self._looks.pop(rollout.rollout_id, None)
        if kept is None or kept.stage != rollout.stage:
            kept = _Looks(rollout.stage, began=_began(rollout))
        self._looks[rollout.rollout_id] = kept
        self._events.setdefault(rollout.rollout_id, Events(self._sizes.told_nodes))
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

    def evidence(self, steps: Steps) -> tuple[Rollout, Evidence] | None:
        """Return what is known, or None when there were not steps enough to read it."""
        groups, controlled = self._counted_since(), self._controlled()
        if not steps.all_of(self._reading(key, node_ids) for key, node_ids in [*groups.items(), *controlled.items()]):
            return None
        counts, controls = self._counted(groups), self._controls(controlled)
        present = {work.node_class for work in controls}
        if not steps.all_of(self._reading_past(present)):
            return None
        members, rollout, outcomes = self.roster.members, self.rollout, self.kept.outcomes
        noted = outcomes.look(rollout, self.roster, self.events, now_s=self.now_s)
        shown = outcomes.shown
        past = self._past(shown, present)
        return noted, Evidence(
            stage=[self._node(noted, members[node_id], counts.get(node_id, {})) for node_id in shown],
            earlier=[self._node(noted, members[node_id], counts.get(node_id, {})) for node_id in outcomes.earlier],
            others=outcomes.others(noted, self.roster, now_s=self.now_s),
            controls=[*controls, *past],
            past_classes=sorted({work.node_class for work in past}),
            waited_s=noted.waited_s(self.now_s),
            soaked_s=outcomes.soaked_s(self.now_s),
            stages=len(rollout.stages),
            counted_share=sum(node_id in self.roster.counted for node_id in shown) / max(1, outcomes.stage_size),
        )

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
            behaviour=total(hours),
            has_previous=replaced is not None and not told.knew,
            site=member.site,
            hours=hours,
            machine=self.roster.machine.get(node_id, {}) if is_committed else {},
            before=self._before(replaced, node_id),
            is_set_aside=outcome is Outcome.SILENT and self._is_set_aside(member),
            has_crashed=told.has_crashed,
        )

    def _is_set_aside(self, member: Member) -> bool:
        if member.node_id in self.rollout.left_behind:
            return True
        return is_silent(self.rollout, last_sign_s(self.rollout, member), self.now_s)

    def _counted_since(self) -> dict[Key, list[str]]:
        """Return the nodes whose work is counted. Those that began in the same minute share a query."""
        since: dict[Key, list[str]] = {}
        for node_id in self.roster.counted:
            since.setdefault((self.rollout.version, self._since(node_id)), []).append(node_id)
        return dict(sorted(since.items()))

    def _controlled(self) -> dict[Key, list[str]]:
        """Return the controls by the version that they have, from the stage's beginning on."""
        by_version: dict[Key, list[str]] = {}
        for control in self.roster.controls:
            by_version.setdefault((control.version, self._stage_minute()), []).append(control.member.node_id)
        return dict(sorted(by_version.items()))

    def _counted(self, groups: Mapping[Key, Sequence[str]]) -> dict[str, Hours]:
        """Return the new version's counts of each node."""
        found: dict[str, Hours] = {}
        for key, node_ids in groups.items():
            found |= self._read(key, node_ids)
        return found

    def _since(self, node_id: str) -> int:
        again_at_s = self.rollout.retried_at_s.get(node_id, 0.0)
        begins = max(self._stage_minute(), int(again_at_s // _MINUTE_S))
        told = self._told_by(node_id).first_minute
        # A clock that was put right meanwhile has dated this attempt before its beginning.
        if told is None or told >= begins or again_at_s or not self._is_of_stage(node_id):
            return begins
        return told

    def _is_of_stage(self, node_id: str) -> bool:
        return node_id not in self.kept.began and node_id in self.rollout.current.node_ids

    def _stage_minute(self) -> int:
        return int((self.rollout.current.started_at_s or 0.0) // _MINUTE_S)

    def _minute(self) -> int:
        return int(self.now_s // _MINUTE_S)

    def _read(self, key: Key, node_ids: Sequence[str]) -> dict[str, Hours]:
        return self._counts(key).read(self.records, node_ids, minute=self._minute())

    def _reading(self, key: Key, node_ids: Sequence[str]) -> Callable[[], bool]:
        return partial(self._counts(key).read_some, self.records, node_ids, minute=self._minute())

    def _counts(self, key: Key) -> Counts:
        version, since = key
        if key not in self.kept.counts:
            self.kept.counts[key] = Counts(model=self.rollout.model, version=version, since_minute=since)
        return self.kept.counts[key]

    def _controls(self, groups: Mapping[Key, Sequence[str]]) -> list[Work]:
        """Return what the replaced versions did since the stage began, on nodes that still have them."""
        members = {control.member.node_id: control.member for control in self.roster.controls}
        return [
            self._work(members[node_id], hours)
            for key, node_ids in groups.items()
            for node_id, hours in self._read(key, node_ids).items()
        ]

    def _work(self, member: Member, hours: Hours) -> Work:
        machine = self.roster.machine.get(member.node_id, {})
        return Work(member.name, member.node_class, member.site, total(hours), hours, machine)

    def _past(self, stage: Sequence[str], present: Collection[str]) -> list[Work]:
        """Return what the replaced versions did a day before on the stage's own nodes, for classes without controls."""
        past, days = [], dict[str, list[tuple[int, Past]]]()
        for node_id in stage:
            member = self.roster.members[node_id]
            replaced = replaced_version(self.rollout, self.rollout.previous.get(node_id))
            if replaced is None or node_id not in self.roster.counted or member.node_class in present:
                continue
            if replaced not in days:
                days[replaced] = self._days_before(replaced)
            hours = {hour: did for hour, there in days[replaced] if (did := there.of(node_id)) is not None}
            before = self._before(replaced, node_id)
            if not hours and before.requests:
                hours = {self._stage_minute() // HOUR_MINUTES: before}
            if hours:
                past.append(self._work(member, hours))
        return past

    def _days_before(self, version: str) -> list[tuple[int, Past]]:
        """Return what was there a day earlier, under the hours of this stage that are over or running."""
        first, last = (minute // HOUR_MINUTES for minute in (self._stage_minute(), self._minute()))
        return [(hour, self._past_of((version, (hour - _DAY_HOURS) * HOUR_MINUTES))) for hour in range(first, last + 1)]

    def _before(self, version: str | None, node_id: str) -> Behaviour:
        """Return what the version before did here in the hour before the stage in which the node took the new one."""
        if version is None or node_id not in self.roster.counted:
            return ev.NOTHING
        return self._past_of(self._hour_before(version, node_id)).of(node_id) or ev.NOTHING

    def _hour_before(self, version: str, node_id: str) -> Key:
        return version, self.kept.began.get(node_id, self._stage_minute()) - HOUR_MINUTES

    def _reading_past(self, present: Collection[str]) -> Iterator[Callable[[], bool]]:
        """Return what reads the hours before, of nodes whose class has no controls those of the day before too."""
        wanted, alone = dict[Key, list[str]](), dict[str, list[str]]()
        for node_id, member in self.roster.counted.items():
            version = replaced_version(self.rollout, self.rollout.previous.get(node_id))
            if version is not None:
                wanted.setdefault(self._hour_before(version, node_id), []).append(node_id)
                if member.node_class not in present and node_id not in self.kept.began:
                    alone.setdefault(version, []).append(node_id)
        for key, node_ids in wanted.items():
            yield partial(self._past_of(key).read_some, self.records, node_ids)
        for version, node_ids in alone.items():
            for _, there in self._days_before(version):
                yield partial(there.read_some, self.records, node_ids)

    def _past_of(self, key: Key) -> Past:
        version, since = key
        if key not in self.kept.past:
            self.kept.past[key] = Past(
                model=self.rollout.model, version=version, since_minute=since, until_minute=since + HOUR_MINUTES
            )
        return self.kept.past[key]


def _began(rollout: Rollout) -> dict[str, int]:
    """Return the minutes in which the stages before began, by node."""
    return {
        node_id: int((stage.started_at_s or 0.0) // _MINUTE_S)
        for stage in rollout.stages[: rollout.stage]
        for node_id in stage.node_ids
    }
