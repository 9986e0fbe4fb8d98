"""Rollouts in the control database: reading, writing, and the audit trail of what is new in their history."""

from collections.abc import Sequence

from ganglion.core.errors import NotFound
from ganglion.hub.domain.rollout import HistoryEntry, Rollout
from ganglion.hub.domain.rollout_table import OPEN_STATES
from ganglion.hub.services import audit
from ganglion.hub.services.audit import Deed
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import ControlTransaction, RolloutRow
from ganglion.wire import codec


def load(tx: ControlTransaction, rollout_id: str) -> Rollout:
    """Return a rollout. Raises: NotFound."""
    row = tx.rollout(rollout_id)
    if row is None:
        raise NotFound(f"no rollout has the id {rollout_id[:80]!r}")
    return decode(row)


def decode(row: RolloutRow) -> Rollout:
    """Return the document of a row."""
    return codec.decode_json(row.document, Rollout)


def open_of(tx: ControlTransaction, model: str) -> list[Rollout]:
    """Return the open rollouts of a model, newest first."""
    return [decode(row) for row in tx.rollouts(model=model, states=[state.value for state in OPEN_STATES])]


def store(tx: ControlTransaction, rollout: Rollout) -> None:
    """Insert or replace it."""
    tx.put_rollout(
        RolloutRow(
            rollout_id=rollout.rollout_id,
            model=rollout.model,
            version=rollout.version,
            state=rollout.state.value,
            document=codec.encode_json(rollout),
            updated_at_s=rollout.updated_at_s,
        )
    )


def note_new(tx: ControlTransaction, clock: Clock, before: Rollout | None, after: Rollout) -> None:
    """Write what is new in the history into the audit chain, in the transaction of the change."""
    for entry in _new_entries(before.history if before else (), after.history):
        facts = {"model": after.model, "version": after.version}
        if after.terms.is_emergency:
            facts["emergency"] = "yes"
        deed = Deed(
            actor=entry.actor,
            action=f"rollout.{entry.event}",
            subject=after.rollout_id,
            reason=entry.reason,
            facts=facts,
        )
        audit.note(tx, clock, deed)


def _new_entries(before: Sequence[HistoryEntry], after: Sequence[HistoryEntry]) -> Sequence[HistoryEntry]:
    """Return the entries behind the newest that was known: a full history loses older ones at every new one."""
    if not before:
        return after
    known = len(after) - 1 - list(reversed(after)).index(before[-1]) if before[-1] in after else -1
    return after[known + 1 :]
