"""The node's own audit chain: a link for each step of an update and each refusal, stored in one transaction with it.

Links leave as records of the class that is given up last. The head of the chain goes into each report, where the
hub signs for it: a node that tells another history for the same number is found.
"""

from collections.abc import Sequence

import msgspec

from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.update.order_telling import CHAINED
from ganglion.ports.agent_store import NewRecord
from ganglion.ports.clock import Clock
from ganglion.trust import audit
from ganglion.trust.audit import NODE, Link
from ganglion.wire.records import EventRecord, RecordClass


def chained(
    before: NodeState, after: NodeState, events: Sequence[EventRecord], clock: Clock
) -> tuple[NodeState, list[NewRecord]]:
    """Return the state with the chain's new head, and a record for each new link."""
    number, head, records = before.audit_number, before.audit_hash or audit.ORIGIN, []
    for event in events:
        number += 1
        document = _link(event, number, head, clock).encode()
        head = audit.link_hash(document)
        records.append(NewRecord(RecordClass.AUDIT, clock.utc_ns(), document))
    known = head if number else ""
    return msgspec.structs.replace(after, audit_number=number, audit_hash=known), records


def _link(event: EventRecord, number: int, previous: str, clock: Clock) -> Link:
    at_ns, monotonic_s = clock.utc_ns(), clock.monotonic_s()
    return Link(
        writer=NODE,
        number=number,
        previous=previous,
        at_ns=at_ns,
        monotonic_ms=int(monotonic_s * 1000),
        # When the monotonic clock stood at nothing: the same for a whole run of the machine.
        boot=str(int(at_ns / 1e9 - monotonic_s)),
        actor=NODE,
        action=event.name,
        subject=f"{event.model}:{event.version}" if event.model else "",
        reason=audit.clipped(event.reason),
        facts=_facts(event),
    )


def _facts(event: EventRecord) -> dict[str, str]:
    """Return what is written down of an event. Of an action that is who and what, and never its output."""
    kept = {name: audit.clipped(event.facts[name]) for name in CHAINED if name in event.facts}
    return {"rollout": event.rollout_id, **kept} if event.rollout_id else kept
