"""How far the nodes of an aborted rollout are on their way back, from their reports.

Of few nodes everything is read at each look. Of many, what they told is kept, and only those are read again that were
heard of since; all of them every few minutes, for a clock may have been put back.
"""

import heapq
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ganglion.hub.domain.nodes import lifecycle
from ganglion.hub.domain.rollouts import revert as rollout_revert
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.domain.rollouts.revert import BACK, NodeWay, Sight, Way
from ganglion.hub.services.evidence.roster import Told, is_current, told_in
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.hub_store import AssignmentRow, ControlTransaction
from ganglion.ports.many_nodes import ReportedNode
from ganglion.wire.desired import ModelStatus

MANY_NODES = 2000
REFRESHED_S = 300.0
_LAG_S = 2.0
"""Reports that come at the same time are stored one after the other."""
_AT_ONCE = 1000
_KEPT = 4
_NOTHING = ModelStatus("", "", "")


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the nodes of an aborted rollout stand, by id. Those that left the fleet on their way are missing."""

    ways: Mapping[str, NodeWay]
    names: Mapping[str, str]
    """Of those that were not known to be back."""


@dataclass(frozen=True, slots=True)
class ShownWays:
    """How many nodes stand where, and some of them."""

    counts: Mapping[Way, int]
    ways: Mapping[str, NodeWay]
    """By id: those that are not back first."""


@dataclass(slots=True)
class _Seen:
    """What was read of the nodes that are waited for."""

    read_at_s: float
    names: dict[str, str] = field(default_factory=dict)
    """Of those that belong to the fleet."""
    heard_at_s: dict[str, float] = field(default_factory=dict)
    """0: never."""
    told: dict[str, NodeWay] = field(default_factory=dict)
    """What their reports say of the way back, where they say anything."""
    newest_s: float = 0.0
    is_sorted: bool = True

    def in_order(self) -> Mapping[str, float]:
        """Return `heard_at_s` by id. They are read in that order, and only who comes back to the fleet disturbs it."""
        if not self.is_sorted:
            self.heard_at_s = dict(sorted(self.heard_at_s.items()))
            self.is_sorted = True
        return self.heard_at_s


class Returns:
    """Reads; changes nothing. Safe to use from many threads."""

    def __init__(self, *, silent_after_s: float, many_nodes: int = MANY_NODES) -> None:
        """`silent_after_s`: a node that says nothing for so long is called silent."""
        self._silent_after_s, self._many_nodes = silent_after_s, many_nodes
        self._kept: dict[str, _Seen] = {}
        self._reading = threading.Lock()

    def of(self, tx: ControlTransaction, rollout: Rollout, *, now_s: float) -> Ways:
        """Return where every node stands that was given the version and has not left the fleet since."""
        if self._are_few(rollout):
            return self._ways(rollout, _read(tx, rollout, _waited_for(rollout), now_s), now_s)
        with self._reading:
            return self._ways(rollout, self._seen(tx, rollout, now_s), now_s)

    def shown(self, tx: ControlTransaction, rollout: Rollout, *, now_s: float, most: int | None) -> ShownWays:
        """Return the counts of `of`, and `most` of its nodes; None: all. Of many nodes few are looked at closely."""
        if most is None or self._are_few(rollout):
            ways = self.of(tx, rollout, now_s=now_s).ways
            counts = Counter(each.way for each in ways.values())
            worst_first = sorted(ways, key=lambda node_id: (ways[node_id].way is Way.RETURNED, node_id))
            return ShownWays(counts, {node_id: ways[node_id] for node_id in worst_first[:most]})
        with self._reading:
            return self._some(rollout, self._seen(tx, rollout, now_s), now_s, most)

    def _are_few(self, rollout: Rollout) -> bool:
        return len(rollout.previous) - len(rollout.returned) <= self._many_nodes

    def forget(self, rollout_id: str) -> None:
        """Keep nothing of a rollout that nobody waits for any more."""
        with self._reading:
            self._kept.pop(rollout_id, None)

    def _seen(self, tx: ControlTransaction, rollout: Rollout, now_s: float) -> _Seen:
        kept = self._kept.get(rollout.rollout_id)
        if kept is not None and 0.0 <= now_s - kept.read_at_s < REFRESHED_S:
            heard = tx.heard(since_s=kept.newest_s - _LAG_S)
            waited_for = [each for each in heard if each in rollout.previous and each not in rollout.returned]
            _add(tx, rollout, kept, waited_for)
            return kept
        self._kept[rollout.rollout_id] = _read(tx, rollout, _waited_for(rollout), now_s)
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept)))
        return self._kept[rollout.rollout_id]

    def _some(self, rollout: Rollout, seen: _Seen, now_s: float, most: int) -> ShownWays:
        noted, judged_by = rollout.returned, {"now_s": now_s, "silent_after_s": self._silent_after_s}
        told = {node_id: way for node_id, way in seen.told.items() if node_id not in noted}
        back = {node_id for node_id, each in told.items() if each.way is Way.RETURNED}
        heard = seen.in_order()
        times = [at_s for node_id, at_s in heard.items() if node_id not in noted and node_id not in told]
        counts = Counter(each.way for each in told.values())
        counts[Way.RETURNED] += len(noted)
        counts.update(rollout_revert.waiting_counts(rollout, times, **judged_by))
        first = list(islice((each for each in heard if each not in noted and each not in back), most))
        if len(first) < most:
            first += heapq.nsmallest(most - len(first), noted.keys() | back)
        some = {node_id: heard[node_id] for node_id in first if node_id not in noted and node_id not in told}
        ways = rollout_revert.waiting_ways(rollout, some, **judged_by)
        return ShownWays(counts, {node_id: told.get(node_id) or ways.get(node_id, BACK) for node_id in first})

    def _ways(self, rollout: Rollout, seen: _Seen, now_s: float) -> Ways:
        heard = {node_id: at_s for node_id, at_s in seen.heard_at_s.items() if node_id not in rollout.returned}
        ways = rollout_revert.waiting_ways(rollout, heard, now_s=now_s, silent_after_s=self._silent_after_s)
        ways |= {node_id: way for node_id, way in seen.told.items() if node_id in heard}
        ways |= dict.fromkeys(rollout.returned, BACK)
        return Ways(ways, seen.names)


def _waited_for(rollout: Rollout) -> list[str]:
    return sorted(rollout.previous.keys() - rollout.returned.keys())


def _read(tx: ControlTransaction, rollout: Rollout, node_ids: Sequence[str], now_s: float) -> _Seen:
    seen = _Seen(now_s)
    _add(tx, rollout, seen, node_ids)
    return seen


def _add(tx: ControlTransaction, rollout: Rollout, seen: _Seen, node_ids: Sequence[str]) -> None:
    incarnation = known_incarnation(tx)
    for begin in range(0, len(node_ids), _AT_ONCE):
        current: list[tuple[ReportedNode, Told]] = []
        for row in tx.reports_of(node_ids[begin : begin + _AT_ONCE]):
            seen.told.pop(row.node_id, None)
            if lifecycle.has_left(row):
                seen.names.pop(row.node_id, None)
                seen.heard_at_s.pop(row.node_id, None)
                continue
            seen.is_sorted = seen.is_sorted and row.node_id in seen.heard_at_s
            seen.names[row.node_id], seen.heard_at_s[row.node_id] = row.name, row.last_seen_at_s or 0.0
            seen.newest_s = max(seen.newest_s, row.last_seen_at_s or 0.0)
            report = told_in(row)
            if report is not None and is_current(report, row, incarnation):
                current.append((row, report))
        wishes = tx.assignments_of([row.node_id for row, _ in current], rollout.model)
        for row, report in current:
            sight = _sight(rollout, row, report, wishes.get(row.node_id))
            told = rollout_revert.told_way(sight, rollout_revert.wanted_back(rollout, row.node_id))
            if told is not None:
                seen.told[row.node_id] = told


def _sight(rollout: Rollout, node: ReportedNode, report: Told, wish: AssignmentRow | None) -> Sight:
    status = next((each for each in report.models if each.model == rollout.model), _NOTHING)
    given_back = rollout_revert.wanted_back(rollout, node.node_id)
    is_own = (wish.version if wish else "") == given_back and (wish is None or wish.rollout_id == rollout.rollout_id)
    return Sight(
        name=node.name,
        heard_at_s=node.last_seen_at_s,
        is_current=True,
        committed=status.committed,
        update_version=status.update_version,
        update_state=status.update_state,
        reason=status.reason,
        is_superseded=not is_own,
    )
