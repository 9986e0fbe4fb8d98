from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.sending.summaries import MINUTE_NS, Folding, LookRecord, merge, merge_payloads
from ganglion.wire import codec
from ganglion.wire.records import ComparisonRecord, RecordClass, ResultRecord, SummaryRecord

NOON = 1_800_000_000 * 1_000_000_000 // MINUTE_NS * MINUTE_NS


def result(label: str = "cat", *, error: str = "", version: str = "1") -> bytes:
    return codec.encode_packed(ResultRecord("r", "m", version, 300, (label,), (0.9,), error))


def fold(folding: Folding, payload: bytes, *, share: float, at_ns: int = NOON) -> bool:
    return folding.keep(RecordClass.RESULT, payload, at_ns=at_ns, results_share=share)


def summary(version: str, minute: int, *, requests: int) -> SummaryRecord:
    behaviour = Behaviour()
    behaviour.count_answers([300] * requests, ["cat"] * requests, [0.9] * requests)
    return SummaryRecord("m", version, minute * MINUTE_NS, (minute + 1) * MINUTE_NS, behaviour)


def test_everything_is_sent_as_it_is_unless_the_hub_wants_less() -> None:
    folding = Folding()

    assert fold(folding, result(), share=1.0)
    assert folding.close(now_ns=NOON + MINUTE_NS) == []


def test_what_is_not_sent_one_by_one_leaves_as_counts_when_its_minute_is_over() -> None:
    folding = Folding()

    kept = [fold(folding, result(label), share=0.0) for label in ("cat", "cat", "dog")]

    assert kept == [False, False, False]
    assert folding.close(now_ns=NOON) == []
    (record,) = folding.close(now_ns=NOON + MINUTE_NS)
    assert (record.began_ns, record.ended_ns) == (NOON, NOON + MINUTE_NS)
    assert (record.behaviour.requests, record.behaviour.classes) == (3, {"cat": 2, "dog": 1})
    assert folding.close(now_ns=NOON + 2 * MINUTE_NS) == []


@pytest.mark.parametrize(("share", "sent"), [(0.0, 0), (0.1, 10), (0.5, 50), (0.99, 99)])
def test_results_are_thinned_out_evenly_and_each_counts_once(share: float, sent: int) -> None:
    folding = Folding()

    kept = sum(fold(folding, result(), share=share) for _ in range(100))

    counted = sum(record.behaviour.requests for record in folding.close(now_ns=0))
    assert (kept, kept + counted) == (sent, 100)


def test_a_failure_is_always_sent_as_it_is() -> None:
    assert fold(Folding(), result(error="model_failed"), share=0.0)


def test_comparisons_are_counted_with_the_version_that_answered() -> None:
    folding = Folding()
    comparison = codec.encode_packed(ComparisonRecord("r", "m", "2", "1", 4, 3, 250))

    kept = folding.keep(RecordClass.SUMMARY, comparison, at_ns=NOON, results_share=0.5)

    (record,) = folding.close(now_ns=0)
    assert not kept
    assert (record.version, record.behaviour.compared, record.behaviour.agreed) == ("2", 4, 3)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x80", b"text"])
def test_what_cannot_be_read_is_sent_for_the_hub_to_judge(payload: bytes) -> None:
    assert fold(Folding(), payload, share=0.0)


def test_a_clock_that_was_put_back_does_not_keep_a_minute_open() -> None:
    folding = Folding()
    fold(folding, result(), share=0.0, at_ns=NOON)

    assert len(folding.close(now_ns=NOON - 1000 * MINUTE_NS)) == 1


def test_summaries_of_one_version_merge_into_the_newest_and_others_are_left_alone() -> None:
    comparison = codec.encode_packed(ComparisonRecord("r", "m", "2", "1", 4, 3, 250))
    waiting = [(number, codec.encode_packed(summary("1", number, requests=number))) for number in (1, 2, 3)]
    other = [(4, codec.encode_packed(summary("2", 4, requests=7))), (5, comparison), (6, b"\x80")]

    plan = merge_payloads([*waiting, *other])

    assert plan.keys() == {3}
    payload, taken_in = plan[3]
    merged = codec.decode_packed(payload, SummaryRecord)
    assert taken_in == [1, 2]
    assert (merged.began_ns, merged.ended_ns) == (MINUTE_NS, 4 * MINUTE_NS)
    assert merged.behaviour.requests == 6


@given(st.lists(st.integers(0, 50), min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_merging_keeps_every_count_in_any_order(sizes: list[int], random: Random) -> None:
    parts = [summary("1", minute, requests=requests) for minute, requests in enumerate(sizes)]
    shuffled = parts.copy()
    random.shuffle(shuffled)

    once, in_steps = merge(parts), merge([merge(shuffled[:2]), *shuffled[2:]])

    assert once.behaviour == in_steps.behaviour
    assert once.behaviour.requests == sum(sizes)
    assert (once.began_ns, once.ended_ns) == (in_steps.began_ns, in_steps.ended_ns)


def test_what_was_measured_of_inputs_leaves_as_counts_even_when_every_result_is_sent() -> None:
    folding = Folding()
    look = codec.encode_packed(LookRecord("m", "1", {"brightness": 0.5}, {"x": (1, 3)}))

    kept = [folding.keep(RecordClass.SUMMARY, look, at_ns=NOON, results_share=1.0) for _ in range(3)]

    assert kept == [False, False, False]
    (record,) = folding.close(now_ns=NOON + MINUTE_NS)
    assert sum(record.behaviour.quality["brightness"]) == 3
    assert record.behaviour.inputs == {"x": [0, 3, 0]}
    assert record.behaviour.requests == 0


def test_a_look_of_a_serving_process_that_knows_no_histograms_is_still_counted() -> None:
    folding = Folding()
    look = msgspec.msgpack.encode({"model": "m", "version": "1", "measures": {"brightness": 0.5}})

    folding.keep(RecordClass.SUMMARY, look, at_ns=NOON, results_share=1.0)

    assert folding.minutes[0].behaviour.inputs == {}


def test_a_map_that_is_no_look_is_sent_as_it_is() -> None:
    assert Folding().keep(RecordClass.SUMMARY, b"\x81\xa1x\x01", at_ns=NOON, results_share=0.0)
