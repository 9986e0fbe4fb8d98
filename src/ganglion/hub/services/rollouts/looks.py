"""Looks at open rollouts: has the time come, is it its turn, what does the gate say, who is next in the stage?

A look gathers evidence outside any writing transaction and decides; the decision is stored only if the rollout is
still the one that was looked at, so an operator's word in between always wins.
"""

import threading
from dataclasses import replace

import structlog

from ganglion.core.errors import GanglionError, Rejected
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence, Outcome
from ganglion.hub.domain.rollouts import document as documents
from ganglion.hub.domain.rollouts import machine, turns
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState
from ganglion.hub.domain.rollouts.machine import HUB, Decision
from ganglion.hub.domain.rollouts.table import OPEN_STATES, RolloutEffect, RolloutEvent
from ganglion.hub.services.evidence.gathering import RolloutEvidence
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.effects import RolloutEffects
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlStore, ControlTransaction, RolloutRow

log = structlog.get_logger()

_GIVING = (RolloutState.RUNNING, RolloutState.AWAITING_APPROVAL)


class RolloutLooks:
    """Decides and stores. Whoever asks for a look wakes the nodes that it touched."""

    def __init__(
        self,
        *,
        control: ControlStore,
        clock: Clock,
        evidence: RolloutEvidence,
        effects: RolloutEffects,
        verdict_every_s: float,
    ) -> None:
        self._control, self._clock = control, clock
        self._evidence, self._effects = evidence, effects
        self._verdict_every_s = verdict_every_s
        # The hub's clock and a person who skips nodes may ask at the same time.
        self._gathering = threading.Lock()

    def tick(self) -> list[tuple[Rollout, list[str]]]:
        """Look at every open rollout once; return those that moved, with the nodes whose wish changed.

        Trouble with one does not keep the others waiting.
        """
        with self._control.read() as tx:
            rows = tx.rollouts(states=[state.value for state in OPEN_STATES])
        moved = []
        for row in rows:
            try:
                found = self._look(row)
            except GanglionError as error:
                log.warning("rollout.delayed", rollout_id=row.rollout_id, code=error.code, reason=error.message)
            except Exception:
                # An edge of its own: whatever is wrong with one rollout, the brakes of the others must work.
                log.exception("rollout.look_failed", rollout_id=row.rollout_id)
            else:
                moved.extend([found] if found else [])
        return moved

    def settled(self, tx: ControlTransaction, rollout: Rollout, cause: Cause, *, is_fresh: bool) -> Decision:
        """Return what a rollout that has not begun does now: wait, stand in line, ask people, or begin.

        `is_fresh`: it was planned in this transaction. Otherwise it is planned again before it begins; when that
        cannot be done any more it ends, and says why.
        """
        ahead = rollout_planning.ahead_of(tx, rollout)
        event = machine.before_begin(rollout, ahead=len(ahead), now_s=cause.at_s)
        if event is None:
            return Decision(rollout)
        reason = cause.reason
        if event is RolloutEvent.BEGIN and not is_fresh:
            try:
                rollout = rollout_planning.replanned(tx, rollout)
            except Rejected as error:
                event, reason = RolloutEvent.ABORT, f"it could not begin: {error.message}"
        elif event in (RolloutEvent.QUEUE, RolloutEvent.ABORT):
            first = ahead[0]
            reason = f"the rollout {first.rollout_id} of {first.model}:{first.version} is still {first.state.value}"
        elif event is RolloutEvent.ASK:
            reason = machine.approvals_wanted(rollout)
        return machine.handle(rollout, event, replace(cause, reason=reason))

    def told(self, rollout: Rollout) -> tuple[Rollout, Evidence]:
        """Return the rollout with what its nodes have told by now, and the evidence for its gate."""
        now_s = utc_s(self._clock)
        with self._gathering:
            found = self._evidence.gather(rollout, now_s=now_s)
        return self._with_failed(*found, now_s=now_s)

    def _told_so_far(self, rollout: Rollout) -> tuple[Rollout, Evidence] | None:
        """Return the same, or None while much is read for the first time: other rollouts do not wait for that."""
        now_s = utc_s(self._clock)
        with self._gathering:
            found = self._evidence.gathered_so_far(rollout, now_s=now_s)
        return self._with_failed(*found, now_s=now_s) if found else None

    def _with_failed(self, noted: Rollout, evidence: Evidence, *, now_s: float) -> tuple[Rollout, Evidence]:
        failed = {each.name for each in (*evidence.stage, *evidence.earlier) if each.outcome is Outcome.ROLLED_BACK}
        if failed:
            with self._control.read() as tx:
                ids = [row.node_id for name in failed if (row := tx.node_by_name(name)) is not None]
            noted = documents.with_rolled_back(noted, ids, now_s=now_s)
        return noted, evidence

    def _look(self, row: RolloutRow) -> tuple[Rollout, list[str]] | None:
        with self._control.read() as tx:
            # The nodes of a large rollout lie beside its row, and fit no other.
            row = rollout_rows.row_of(tx, row.rollout_id)
            seen = rollout_rows.whole(tx, row)
        decision = machine.overdue(seen, now_s=utc_s(self._clock))
        if decision is None and seen.has_begun:
            decision = self._judged(seen)
        if self._is_idle(seen, decision):
            return None
        with self._control.write() as tx:
            if tx.rollout(row.rollout_id) != row:
                return None
            if decision is None:
                decision = self.settled(tx, seen, Cause(utc_s(self._clock), HUB, "its turn has come"), is_fresh=False)
            if decision.rollout is seen:
                return None
            rollout, touched = carried_out(tx, self._clock, self._effects, seen, decision)
        return (rollout, touched) if touched or rollout.history != seen.history else None

    def _is_idle(self, seen: Rollout, decision: Decision | None) -> bool:
        """Say whether there is nothing to store: most looks find nothing new, and writers wait for each other."""
        if decision is not None:
            return decision.rollout is seen
        with self._control.read() as tx:
            cause = Cause(utc_s(self._clock), HUB, "")
            return self.settled(tx, seen, cause, is_fresh=True).rollout is seen

    def _judged(self, seen: Rollout) -> Decision:
        now_s = utc_s(self._clock)
        found = self._told_so_far(seen)
        if found is None:
            return Decision(seen)
        noted, evidence = found
        turn = self._turn(noted)
        verdict = gate.evaluate(seen.gate, evidence)
        decision = machine.judged(noted, verdict, now_s=now_s, turn=turn)
        if decision.effect is None and turn.due and decision.rollout.state in _GIVING:
            return Decision(decision.rollout, RolloutEffect.ASSIGN_STAGE)
        return decision if self._is_worth_storing(seen, decision) else Decision(seen)

    def _turn(self, rollout: Rollout) -> turns.Turn:
        if not turns.undelivered(rollout):
            return turns.Turn()
        with self._control.read() as tx:
            return turns.turn(rollout, rollout_planning.places_in_service(tx))

    def _is_worth_storing(self, seen: Rollout, decision: Decision) -> bool:
        after = decision.rollout
        if decision.effect is not None or after.state is not seen.state:
            return True
        if after.committed != seen.committed or after.rolled_back != seen.rolled_back:
            return True
        if after.current.verdict != seen.current.verdict:
            return True
        # The wall clock may have jumped back; either way the stored figures are old.
        is_old = abs(after.updated_at_s - seen.updated_at_s) >= self._verdict_every_s
        return is_old and after.current.verdict_reason != seen.current.verdict_reason


def carried_out(
    tx: ControlTransaction, clock: Clock, effects: RolloutEffects, before: Rollout | None, decision: Decision
) -> tuple[Rollout, list[str]]:
    """Store a decision, perform its effect and write the audit trail, all in one transaction."""
    rollout, touched = effects.carry_out(tx, decision)
    rollout_rows.note_new(tx, clock, before, rollout)
    return rollout, touched
