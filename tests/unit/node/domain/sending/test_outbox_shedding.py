import pytest

from ganglion.core.errors import InvalidSettings
from ganglion.node.domain.sending.outbox import OutboxLimits, plan_own_limits, plan_shedding, worth_of
from ganglion.wire import codec
from ganglion.wire.records import EventRecord, RecordClass, SampleRecord


def test_nothing_is_shed_below_the_cap() -> None:
    assert plan_shedding({RecordClass.RESULT: 50}, cap_bytes=100, need_bytes=50) == {}


def test_the_lowest_class_gives_first_and_only_what_is_needed() -> None:
    held = {RecordClass.RESULT: 60, RecordClass.SAMPLE: 40}

    assert plan_shedding(held, cap_bytes=100, need_bytes=10) == {RecordClass.SAMPLE: 10}


def test_the_next_class_gives_when_the_lowest_has_nothing_left() -> None:
    held = {RecordClass.EVENT: 10, RecordClass.RESULT: 60, RecordClass.SAMPLE: 30}

    plan = plan_shedding(held, cap_bytes=100, need_bytes=50)

    assert plan == {RecordClass.SAMPLE: 30, RecordClass.RESULT: 20}


def test_audit_records_are_shed_last() -> None:
    held = {RecordClass.AUDIT: 60, RecordClass.EVENT: 40}

    assert plan_shedding(held, cap_bytes=100, need_bytes=50) == {RecordClass.EVENT: 40, RecordClass.AUDIT: 10}


def test_a_class_with_a_limit_of_its_own_gives_what_is_over_it() -> None:
    held = {RecordClass.RESULT: 60, RecordClass.SAMPLE: 40}

    assert plan_own_limits(held, {RecordClass.SAMPLE: 30, RecordClass.RESULT: 100}) == {RecordClass.SAMPLE: 10}


def test_a_limit_for_a_class_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(InvalidSettings, match="pictures"):
        OutboxLimits(class_bytes_max={"pictures": 5}).own_limits()


def test_the_outbox_does_not_grow_when_the_disk_is_nearly_full() -> None:
    limits = OutboxLimits(total_bytes_max=1000, free_bytes_min=200)

    assert limits.room_bytes(held_bytes=300, free_bytes=5000) == 1000
    assert limits.room_bytes(held_bytes=300, free_bytes=250) == 350
    assert limits.room_bytes(held_bytes=300, free_bytes=100) == 300


@pytest.mark.parametrize("kept", [1, 2, 4, 8, 16])
def test_results_thin_out_evenly(kept: int) -> None:
    worth = {ordinal: worth_of(RecordClass.RESULT, b"", ordinal=ordinal) for ordinal in range(1, 65)}

    by_worth = sorted(worth, key=lambda ordinal: (worth[ordinal], ordinal))
    left = sorted(by_worth[-(64 // kept) :])

    assert left == list(range(kept, 65, kept))


def test_the_more_doubtful_sample_is_worth_more() -> None:
    sure, doubtful = (
        worth_of(RecordClass.SAMPLE, codec.encode_packed(sample(confidence)), ordinal=1) for confidence in (0.95, 0.4)
    )

    assert doubtful > sure


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x80", codec.encode_packed(EventRecord("a.b"))])
def test_a_payload_that_cannot_be_read_has_a_worth_too(payload: bytes) -> None:
    assert worth_of(RecordClass.SAMPLE, payload, ordinal=1) >= 0


@pytest.mark.parametrize("reason", ["requested", "trigger_rule", "disagreement", "out_of_distribution"])
def test_a_sample_that_somebody_asked_for_or_that_is_new_goes_last_however_sure_the_model_is(reason: str) -> None:
    told, doubtful = (
        worth_of(RecordClass.SAMPLE, codec.encode_packed(each), ordinal=1)
        for each in (sample(0.99, reason), sample(0.1))
    )

    assert told > doubtful


def sample(confidence: float, reason: str = "low_confidence") -> SampleRecord:
    return SampleRecord("m", "1", "r", reason, "cat", confidence, {})
