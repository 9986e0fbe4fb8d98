"""Follows aborted rollouts until every node has what it had before, however late it comes back.

Which rollouts are followed stands in the database, one document each, so that neither a restart nor the number of
rollouts that were ever aborted matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from ganglion.core.errors import GanglionError
from ganglion.hub.domain import rollout_revert
from ganglion.hub.domain.lifecycle import Standing, standing_of
from ganglion.hub.domain.rollout import Rollout
from ganglion.hub.domain.rollout_revert import NodeWay, Sight, Way
from ganglion.hub.services import rollout_rows
from ganglion.hub.services.evidence_roster import is_current
from ganglion.hub.services.fleet import report_of
from ganglion.hub.services.incarnation import known_incarnation
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import AssignmentRow, ControlStore, ControlTransaction, DocumentRow, NodeRow
from ganglion.wire.desired import ModelStatus

log = structlog.get_logger()

KIND = "rollout_revert"
_AGE_SHARE = 0.1
"""Nodes come back within seconds or after days: a look each second for days would find nothing."""
_ONE_BY_ONE_MAX = 2000
_GONE = frozenset({Standing.RETIRED, Standing.REVOKED})


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the nodes of an aborted rollout stand, by id. Those that left the fleet on their way are missing."""

    ways: Mapping[str, NodeWay]
    names: Mapping[str, str]
    """Of those that were not known to be back."""


class RolloutReverts:
    """Looks at aborted rollouts; changes what their documents say of the way back, and nothing else."""

    def __init__(self, *, control: ControlStore, clock: Clock, silent_after_s: float, late_every_s: float) -> None:
        """`late_every_s`: the longest pause between two looks; the younger an abort, the shorter it is."""
        self._control, self._clock = control, clock
        self._silent_after_s, self._late_every_s = silent_after_s, late_every_s
        self._due_at_s: dict[str, float] = {}

    def tick(self) -> None:
        """Look at those that are followed and due."""
        with self._control.read() as tx:
            followed = [row.name for row in tx.documents(KIND)]
        for rollout_id in followed:
            if self._clock.monotonic_s() >= self._due_at_s.get(rollout_id, float("-inf")):
                self._look_safely(rollout_id)

    def _look_safely(self, rollout_id: str) -> None:
        try:
            self._look(rollout_id)
        except GanglionError as error:
            log.warning("rollout.delayed", rollout_id=rollout_id, code=error.code, reason=error.message)
        except Exception:
            # An edge of its own: whatever is wrong with one rollout, the others are followed.
            log.exception("rollout.look_failed", rollout_id=rollout_id)

    def _look(self, rollout_id: str) -> None:
        with self._control.read() as tx:
            seen = rollout_rows.load(tx, rollout_id)
            found = ways_of(tx, seen, now_s=utc_s(self._clock), silent_after_s=self._silent_after_s)
        after = rollout_revert.followed(seen, found.ways, found.names, now_s=utc_s(self._clock))
        is_over = rollout_revert.is_over(after, found.ways)
        if after is not seen or is_over:
            self._store(seen, after, is_over=is_over)
        age_s = utc_s(self._clock) - (after.aborted_at_s or 0.0)
        self._due_at_s[rollout_id] = self._clock.monotonic_s() + min(self._late_every_s, max(0.0, age_s * _AGE_SHARE))
        if is_over:
            self._due_at_s.pop(rollout_id)

    def _store(self, seen: Rollout, after: Rollout, *, is_over: bool) -> None:
        with self._control.write() as tx:
            if rollout_rows.load(tx, seen.rollout_id) != seen:
                return
            rollout_rows.store(tx, after)
            rollout_rows.note_new(tx, self._clock, seen, after)
            if is_over:
                tx.remove_document(KIND, seen.rollout_id)
        if after.history != seen.history:
            log.info("rollout.returned", rollout_id=after.rollout_id, reason=after.history[-1].reason)


def watch(tx: ControlTransaction, rollout: Rollout) -> None:
    """Follow a rollout from the transaction on that aborts it. One that gave nobody anything needs no following."""
    if rollout.previous:
        tx.put_document(DocumentRow(KIND, rollout.rollout_id, b"{}", rollout.updated_at_s))


def ways_of(tx: ControlTransaction, rollout: Rollout, *, now_s: float, silent_after_s: float) -> Ways:
    """Return where every node stands that was given the version and has not left the fleet since."""
    nodes = [row for row in _not_seen_back(tx, rollout) if standing_of(row) not in _GONE]
    incarnation = known_incarnation(tx)
    ways = dict.fromkeys(rollout.returned, NodeWay(Way.RETURNED))
    for row in nodes:
        wish = next(iter(tx.assignments(node_id=row.node_id, model=rollout.model)), None)
        sight = _sight(rollout, row, wish, incarnation)
        ways[row.node_id] = rollout_revert.way_of(
            rollout, row.node_id, sight, now_s=now_s, silent_after_s=silent_after_s
        )
    return Ways(ways, {row.node_id: row.name for row in nodes})


def _not_seen_back(tx: ControlTransaction, rollout: Rollout) -> Sequence[NodeRow]:
    waited_for = rollout.previous.keys() - rollout.returned.keys()
    if len(waited_for) > _ONE_BY_ONE_MAX:
        return [row for row in tx.nodes() if row.node_id in waited_for]
    found = [tx.node(node_id) for node_id in sorted(waited_for)]
    return [row for row in found if row is not None]


def _sight(rollout: Rollout, node: NodeRow, wish: AssignmentRow | None, incarnation: str) -> Sight:
    report = report_of(node)
    statuses: Sequence[ModelStatus] = report.models if report else ()
    status = next((each for each in statuses if each.model == rollout.model), ModelStatus("", "", ""))
    given_back = rollout_revert.wanted_back(rollout, node.node_id)
    is_own = (wish.version if wish else "") == given_back and (wish is None or wish.rollout_id == rollout.rollout_id)
    return Sight(
        name=node.name,
        heard_at_s=node.last_seen_at_s,
        is_current=report is not None and is_current(report, node, incarnation),
        committed=status.committed,
        update_version=status.update_version,
        update_state=status.update_state,
        reason=status.reason,
        is_superseded=not is_own,
    )
