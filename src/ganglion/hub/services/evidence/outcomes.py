"""Who of a rollout's nodes has committed, which are shown one by one, and how many of the others stand where.

What is new since the look before is added to what was known then. Where that cannot be said, as after a person's order,
everything is counted anew; both give the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.hub.domain.gate.evidence import Others
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.evidence.events import Events
from ganglion.hub.services.evidence.roster import Member, Roster


@dataclass(slots=True)
class Outcomes:
    """The nodes of one stage. Documents and rosters are values, so one that is the same object has not changed."""

    shown: Sequence[str] = ()
    """Nodes of the stage that are shown one by one: those whose work is counted, and all that failed."""
    earlier: Sequence[str] = ()
    """The same of the stages before it."""
    stage_size: int = 0
    """Nodes of the stage that take part."""
    _known: "_Known | None" = None
    _rest: Sequence[str] = ()
    """Nodes of the stage that are not shown."""
    _stage: Mapping[str, None] = field(default_factory=dict)
    """The ids of the stage. Neither this nor a tuple is work for the collector of garbage, as a set would be."""
    _committed: int = 0
    """Of the rest."""
    _newest_s: float | None = None
    """When the hub learned of the newest commit in the stage."""
    _aside: "_Aside | None" = None

    def look(self, rollout: Rollout, roster: Roster, events: Events, *, now_s: float) -> Rollout:
        """Return the rollout with the commits that are known by now, and count."""
        news = events.taken_news()
        is_continued = news is not None and self._known is not None and self._known.goes_on(rollout, roster)
        committed, given = rollout.committed, rollout.previous
        if is_continued:
            told = {node_id for node_id in news or () if events.has_committed(node_id)}
        else:
            told = events.committed.difference(committed) | roster.reporting.difference(committed)
        new = sorted(node_id for node_id in told if node_id in given and node_id not in committed)
        noted = documents.with_committed(rollout, new, now_s=now_s)
        if is_continued and self._known is not None and self._known.failed == len(events.failed):
            self._add(new, roster, now_s)
        else:
            self._count(noted, roster, events)
        self._known = _Known(noted, roster, len(events.failed))
        return noted

    def soaked_s(self, now_s: float) -> float | None:
        """Return the time since the newest commit in the stage, or None before the first."""
        return None if self._newest_s is None else now_s - self._newest_s

    def others(self, rollout: Rollout, roster: Roster, *, now_s: float) -> Others:
        """Return how many of those that are not shown have which outcome."""
        silent = len(self._rest) - self._committed
        aside = self._set_aside(rollout, roster, now_s) if silent else 0
        return Others(committed=self._committed, silent=silent - aside, set_aside=aside)

    def _add(self, new: Sequence[str], roster: Roster, now_s: float) -> None:
        of_stage = {node_id for node_id in new if node_id in self._stage}
        if of_stage:
            self._newest_s = max(now_s, now_s if self._newest_s is None else self._newest_s)
            self._committed += len(of_stage.intersection(roster.members).difference(self.shown))

    def _count(self, rollout: Rollout, roster: Roster, events: Events) -> None:
        node_ids, committed, members = rollout.current.node_ids, rollout.committed, roster.members
        before = (node_id for part in rollout.stages[: rollout.stage] for node_id in part.node_ids)
        stage = [node_id for node_id in node_ids if node_id in members]
        self.stage_size, self._stage = len(stage), dict.fromkeys(node_ids)
        self.shown, self._rest = _parted(stage, roster, events)
        self.earlier = _parted([node_id for node_id in before if node_id in members], roster, events)[0]
        self._committed = sum(map(committed.__contains__, self._rest))
        self._newest_s = max((committed[node_id] for node_id in node_ids if node_id in committed), default=None)
        self._aside = None

    def _set_aside(self, rollout: Rollout, roster: Roster, now_s: float) -> int:
        if rollout.gate.silence_s_max <= 0.0 and not rollout.left_behind:
            return 0
        if self._aside is None or not self._aside.goes_on(rollout, now_s):
            self._aside = _Aside(rollout, roster, self._rest)
        return self._aside.count(rollout, now_s)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last look counted."""

    noted: Rollout
    roster: Roster
    failed: int

    def goes_on(self, rollout: Rollout, roster: Roster) -> bool:
        """Say whether nothing but the newest events is new."""
        return (
            roster is self.roster
            and rollout.committed is self.noted.committed
            and rollout.previous is self.noted.previous
            and rollout.current.node_ids is self.noted.current.node_ids
        )


class _Aside:
    """Nodes that are not waited for any more, of those that are not shown."""

    def __init__(self, rollout: Rollout, roster: Roster, node_ids: Sequence[str]) -> None:
        self._left_behind, self._given_at_s = rollout.left_behind, rollout.given_at_s
        self._began_s, self._now_s = rollout.current.started_at_s, float("-inf")
        silent = [node_id for node_id in node_ids if node_id not in rollout.committed]
        self._aside = {node_id for node_id in silent if node_id in rollout.left_behind}
        waited_for = (node_id for node_id in silent if node_id not in rollout.left_behind)
        self._heard = sorted(((last_sign_s(rollout, roster.members[each]), each) for each in waited_for), reverse=True)

    def goes_on(self, rollout: Rollout, now_s: float) -> bool:
        """Say whether time has gone on, and nothing else but commits."""
        return (
            now_s >= self._now_s
            and rollout.left_behind is self._left_behind
            and rollout.given_at_s is self._given_at_s
            and rollout.current.started_at_s == self._began_s
        )

    def count(self, rollout: Rollout, now_s: float) -> int:
        """Return how many there are by now."""
        self._now_s = now_s
        while self._heard and is_silent(rollout, self._heard[-1][0], now_s):
            self._aside.add(self._heard.pop()[1])
        self._aside.difference_update([node_id for node_id in self._aside if node_id in rollout.committed])
        return len(self._aside)


def last_sign_s(rollout: Rollout, member: Member) -> float:
    """Return when a node was last heard of, or given the version if that was later."""
    return max(member.heard_at_s, rollout.given_at_s.get(member.node_id, rollout.current.started_at_s or 0.0))


def is_silent(rollout: Rollout, last_sign_s: float, now_s: float) -> bool:
    """Say whether that is so long ago that the node is not waited for."""
    return 0.0 < rollout.gate.silence_s_max <= now_s - last_sign_s


def _parted(node_ids: Sequence[str], roster: Roster, events: Events) -> tuple[Sequence[str], Sequence[str]]:
    """Part nodes into those that are shown one by one, and the many of a large stage that only have an outcome."""
    if len(node_ids) <= len(roster.counted):
        return node_ids, ()
    wanted = events.failed | roster.counted.keys()
    return [one for one in node_ids if one in wanted], tuple(one for one in node_ids if one not in wanted)
