from ganglion.node.domain.outbox import plan_shedding
from ganglion.wire.messages import RecordClass


def test_nothing_is_shed_below_the_cap() -> None:
    assert plan_shedding({RecordClass.RESULT: 50}, cap_bytes=100, need_bytes=50) == {}


def test_the_lowest_class_gives_first_and_only_what_is_needed() -> None:
    held = {RecordClass.RESULT: 60, RecordClass.SAMPLE: 40}

    assert plan_shedding(held, cap_bytes=100, need_bytes=10) == {RecordClass.SAMPLE: 10}


def test_the_next_class_gives_when_the_lowest_has_nothing_left() -> None:
    held = {RecordClass.EVENT: 10, RecordClass.RESULT: 60, RecordClass.SAMPLE: 30}

    plan = plan_shedding(held, cap_bytes=100, need_bytes=50)

    assert plan == {RecordClass.SAMPLE: 30, RecordClass.RESULT: 20}


def test_audit_records_are_never_shed() -> None:
    held = {RecordClass.AUDIT: 100}

    assert plan_shedding(held, cap_bytes=100, need_bytes=50) == {}
