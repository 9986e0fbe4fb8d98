"""Follows aborted rollouts until every node has what it had before, however late it comes back.

Which rollouts are followed stands in the database, one document each, so that neither a restart nor the number of
rollouts that were ever aborted matters.
"""

import structlog

from ganglion.core.errors import GanglionError
from ganglion.hub.domain.rollouts import revert as rollout_revert
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.returns import Returns
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, DocumentRow, RolloutRow

log = structlog.get_logger()

KIND = "rollout_revert"
_AGE_SHARE = 0.1
"""Nodes come back within seconds or after days: a look each second for days would find nothing."""


class RolloutReverts:
    """Looks at aborted rollouts; changes what their documents say of the way back, and nothing else."""

    def __init__(self, *, control: ControlStore, clock: Clock, returns: Returns, late_every_s: float) -> None:
        """`late_every_s`: the longest pause between two looks; the younger an abort, the shorter it is."""
        self._control, self._clock = control, clock
        self._returns, self._late_every_s = returns, late_every_s
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
            row = rollout_rows.row_of(tx, rollout_id)
            seen = rollout_rows.whole(tx, row)
            found = self._returns.of(tx, seen, now_s=utc_s(self._clock))
        after = rollout_revert.followed(seen, found.ways, found.names, now_s=utc_s(self._clock))
        is_over = rollout_revert.is_over(after, found.ways)
        if after is not seen or is_over:
            self._store(row, seen, after, is_over=is_over)
        age_s = utc_s(self._clock) - (after.aborted_at_s or 0.0)
        self._due_at_s[rollout_id] = self._clock.monotonic_s() + min(self._late_every_s, max(0.0, age_s * _AGE_SHARE))
        if is_over:
            self._due_at_s.pop(rollout_id)
            self._returns.forget(rollout_id)

    def _store(self, row: RolloutRow, seen: Rollout, after: Rollout, *, is_over: bool) -> None:
        with self._control.write() as tx:
            if tx.rollout(row.rollout_id) != row:
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
