"""What people decide about a node: first what it would mean, then, within a transaction, the row and its audit link."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from ganglion.core.errors import Conflict
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.hub.services.audit import chain as audit
from ganglion.hub.services.audit.chain import Deed
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import ControlTransaction, NodeRow
from ganglion.wire import codec

_GONE = frozenset({Standing.RETIRED, Standing.REVOKED})


@dataclass(frozen=True, slots=True)
class By:
    """Who decides, by which clock, and why."""

    clock: Clock
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A node's row as it will be, and how the audit chain tells of it."""

    row: NodeRow
    action: str
    facts: Mapping[str, str] = field(default_factory=dict)
    is_told: bool = False
    """The node is to ask anew for what it should be."""


Act = Callable[[NodeRow, float], Decided | None]
"""Takes a row and the time in seconds since 1970; None: the node is so already. Raises: Conflict: it cannot be."""


def retire(row: NodeRow, now_s: float) -> Decided | None:
    """Take a node out of service."""
    if standing_of(row) in _GONE:
        return None
    return Decided(row=replace(row, retired_at_s=now_s), action="node.retired")


def revoke(row: NodeRow, now_s: float) -> Decided | None:
    """Trust a node no more."""
    if row.revoked_at_s is not None:
        return None
    return Decided(row=replace(row, revoked_at_s=now_s), action="node.revoked")


def admit(row: NodeRow, now_s: float) -> Decided | None:
    """Let a quarantined node in again. Raises: Conflict: it is not in quarantine."""
    if standing_of(row) is not Standing.QUARANTINED:
        raise Conflict(f"the node {row.name} is not in quarantine, but {standing_of(row)}")
    after = replace(row, quarantined_at_s=None, quarantine_reason="", admitted_at_s=now_s)
    return Decided(row=after, action="node.admitted", facts={"was": row.quarantine_reason})


def ask_rekey(row: NodeRow, now_s: float) -> Decided | None:
    """Ask a node for a new key at its next contact. Raises: Conflict: it is out of service."""
    _check_here(row)
    if row.rekey_asked_at_s is not None:
        return None
    return Decided(row=replace(row, rekey_asked_at_s=now_s), action="node.rekey_asked", is_told=True)


def label(change: Mapping[str, str | None]) -> Act:
    """Return the act that sets and takes away labels. Raises, when it acts: InvalidRequest, Conflict."""

    def labelled(row: NodeRow, _now_s: float) -> Decided | None:
        before = codec.decode_json(row.labels, dict[str, str])
        after = selectors.changed_labels(before, change)
        if after == before:
            return None
        _check_here(row)
        facts = {"was": selectors.written(before), "is": selectors.written(after)}
        row = replace(row, labels=msgspec.json.encode(after, order="sorted"))
        # Labels decide on groups, and groups on what the node is told.
        return Decided(row=row, action="node.labelled", facts=facts, is_told=True)

    return labelled


def carry_out(tx: ControlTransaction, decided: Decided, by: By) -> None:
    """Store what was decided, with its link."""
    row = decided.row
    if decided.is_told:
        row = replace(row, desired_revision=tx.next_revision())
    tx.put_node(row)
    deed = Deed(actor=by.actor, action=decided.action, subject=row.name, reason=by.reason, facts=dict(decided.facts))
    audit.note(tx, by.clock, deed)


def act_on(tx: ControlTransaction, row: NodeRow, act: Act, by: By) -> bool:
    """Decide and store; False: the node is so already. Raises: Conflict."""
    decided = act(row, utc_s(by.clock))
    if decided is None:
        return False
    carry_out(tx, decided, by)
    return True


def _check_here(row: NodeRow) -> None:
    if standing_of(row) in _GONE:
        raise Conflict(f"the node {row.name} is {standing_of(row)}")
