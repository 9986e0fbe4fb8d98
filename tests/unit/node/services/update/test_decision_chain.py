import msgspec

from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.update.decision_chain import chained
from ganglion.ports.agent_store import NewRecord
from ganglion.testing.clock import FakeClock
from ganglion.trust import audit
from ganglion.trust.audit import Link, Stored
from ganglion.wire.records import EventRecord, RecordClass


def event(name: str, reason: str = "") -> EventRecord:
    return EventRecord(name=name, model="digits", version="2", rollout_id="r1", reason=reason)


def stored(records: list[NewRecord]) -> list[Stored]:
    documents = [record.payload for record in records]
    return [
        Stored(msgspec.json.decode(document, type=Link).number, audit.link_hash(document), document)
        for document in documents
    ]


def test_each_decision_is_a_link_and_the_state_has_the_head(clock: FakeClock) -> None:
    first, begun = chained(NodeState(), NodeState(), [event("update.offered"), event("update.prechecked")], clock)
    second, ended = chained(first, NodeState(silent_s=7.0), [event("update.rolled_back", "errors")], clock)

    links = stored([*begun, *ended])
    assert [link.number for link in links] == [1, 2, 3]
    assert (second.audit_number, second.audit_hash, second.silent_s) == (3, links[-1].hash, 7.0)
    assert audit.verify(links, writer=audit.NODE) == []
    assert {record.record_class for record in begun} == {RecordClass.AUDIT}


def test_a_link_says_what_why_and_for_which_version(clock: FakeClock) -> None:
    _, (record,) = chained(NodeState(), NodeState(), [event("update.refused", "x" * 9999)], clock)

    link = msgspec.json.decode(record.payload, type=Link)
    assert (link.action, link.subject, link.facts) == ("update.refused", "digits:2", {"rollout": "r1"})
    assert len(link.reason) == audit.TEXT_MAX


def test_a_change_without_a_decision_keeps_the_head(clock: FakeClock) -> None:
    before, _ = chained(NodeState(), NodeState(), [event("update.offered")], clock)

    after, records = chained(before, NodeState(), [], clock)

    assert records == []
    assert (after.audit_number, after.audit_hash) == (before.audit_number, before.audit_hash)
