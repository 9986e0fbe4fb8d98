"""Rollouts in the control database: reading, writing, and the audit trail of what is new in their history.

A small rollout is one document. The nodes of a large one lie beside it, in parts, and its newest state is kept in
memory: a look each second at a rollout of a hundred thousand nodes reads and writes what is new.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from ganglion.core.errors import DataCorrupt, NotFound
from ganglion.hub.domain.rollouts import parts as rollout_parts
from ganglion.hub.domain.rollouts.document import HistoryEntry, Rollout
from ganglion.hub.domain.rollouts.parts import Members, Part
from ganglion.hub.domain.rollouts.table import OPEN_STATES
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.ports.clock import Clock
from ganglion.ports.hub_store import ControlTransaction, RolloutRow
from ganglion.wire import codec

NODES_MAX = 2000
"""A rollout of more nodes is a large one."""
_KEPT = 4
_ALL = 2**62


class _Kept:
    """Large rollouts by their document, which is of one content only: what is kept is never out of date."""

    def __init__(self) -> None:
        self._members: OrderedDict[bytes, Members] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, document: bytes) -> Members | None:
        """Return the rollout of a document, if it is known."""
        with self._lock:
            if document in self._members:
                self._members.move_to_end(document)
            return self._members.get(document)

    def put(self, document: bytes, members: Members) -> None:
        """Know a rollout. What the same one was before is forgotten, and the others one by one."""
        rollout_id = members.rollout.rollout_id
        with self._lock:
            for known in [key for key, each in self._members.items() if each.rollout.rollout_id == rollout_id]:
                del self._members[known]
            self._members[document] = members
            while len(self._members) > _KEPT:
                self._members.popitem(last=False)


_kept = _Kept()


def row_of(tx: ControlTransaction, rollout_id: str) -> RolloutRow:
    """Return the row of a rollout. Raises: NotFound."""
    row = tx.rollout(rollout_id)
    if row is None:
        raise NotFound(f"no rollout has the id {rollout_id[:80]!r}")
    return row


def load(tx: ControlTransaction, rollout_id: str) -> Rollout:
    """Return a rollout. Raises: NotFound."""
    return whole(tx, row_of(tx, rollout_id))


def short(row: RolloutRow) -> Rollout:
    """Return the document of a row. Of a large rollout it names a few nodes, and `apart` has the figures of all."""
    return codec.decode_json(row.document, Rollout)


def whole(tx: ControlTransaction, row: RolloutRow) -> Rollout:
    """Return the rollout of a row that was read in this transaction, with all its nodes."""
    return _members(tx, row)[1].rollout


def open_of(tx: ControlTransaction, model: str) -> list[Rollout]:
    """Return the documents of the open rollouts of a model, newest first."""
    return [short(row) for row in tx.rollouts(model=model, states=[state.value for state in OPEN_STATES])]


def store(tx: ControlTransaction, rollout: Rollout, *, nodes_max: int = NODES_MAX) -> None:
    """Insert or replace it. With more nodes than that only what is new of them is written."""
    stored, members = rollout, None
    if rollout_parts.is_large(rollout, nodes_max):
        stored, members = _stored_apart(tx, rollout)
    else:
        tx.remove_rollout_parts(rollout.rollout_id, before=_ALL)
    document = codec.encode_json(stored)
    tx.put_rollout(
        RolloutRow(
            rollout_id=rollout.rollout_id,
            model=rollout.model,
            version=rollout.version,
            state=rollout.state.value,
            document=document,
            updated_at_s=rollout.updated_at_s,
        )
    )
    if members is not None:
        _kept.put(document, members)


def _members(tx: ControlTransaction, row: RolloutRow) -> tuple[Rollout, Members]:
    """Return a row's document, and the whole rollout."""
    known = _kept.get(row.document)
    document = short(row)
    if known is not None:
        return document, known
    if document.apart is None:
        return document, Members(document)
    parts = tx.rollout_parts(row.rollout_id)
    if rollout_parts.digest_of(parts) != document.apart.digest:
        # Without its nodes an abort would give nobody anything back.
        raise DataCorrupt(f"the parts of the rollout {row.rollout_id} are not those of its document")
    members = rollout_parts.whole(document, (msgspec.msgpack.decode(part, type=Part) for part in parts))
    _kept.put(row.document, members)
    return document, members


def _stored_apart(tx: ControlTransaction, rollout: Rollout) -> tuple[Rollout, Members]:
    """Add a part with what is new, or a first one, and return the document that goes with it."""
    row, before, apart = tx.rollout(rollout.rollout_id), None, None
    if row is not None:
        document, members = _members(tx, row)
        apart = document.apart
        before = members if apart and not rollout_parts.is_due_anew(apart) else None
    part, members = rollout_parts.part_of(before, rollout)
    packed = msgspec.msgpack.encode(part)
    document = rollout_parts.short(rollout, packed, before=apart, is_first=before is None)
    assert document.apart is not None, "it was just stored apart"
    tx.add_rollout_part(rollout.rollout_id, document.apart.newest, packed)
    if before is None:
        tx.remove_rollout_parts(rollout.rollout_id, before=document.apart.newest)
    return document, members


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
