"""Each law breaks where it should, and holds where it should."""

import pytest

from ganglion.testing.laws.every_law import Laws
from ganglion.testing.laws.intervals import Intervals
from ganglion.wire.records import RecordClass


@pytest.fixture
def laws() -> Laws:
    return Laws()


def numbers(first: int, count: int) -> Intervals:
    some = Intervals()
    some.add(first, count)
    return some


def broken(laws: Laws) -> list[int]:
    return [breach.law for breach in laws.breaches]


def test_a_node_without_a_first_version_may_serve_nothing(laws: Laws) -> None:
    laws.serves.answers(0.0, "n1", [], has_committed=False)

    assert broken(laws) == []


@pytest.mark.parametrize("versions", [[], ["1", "2"]])
def test_a_node_that_has_committed_answers_with_one_version(laws: Laws, versions: list[str]) -> None:
    laws.serves.answers(0.0, "n1", versions, has_committed=True)

    assert broken(laws) == [1]


def test_a_start_takes_no_longer_than_its_bound(laws: Laws) -> None:
    laws.serves.started(0.0, "n1", took_s=8.0, bound_s=10.0)
    laws.serves.started(0.0, "n1", took_s=11.0, bound_s=10.0)

    assert broken(laws) == [1]


def test_bytes_that_were_signed_for_another_model_are_not_activated(laws: Laws) -> None:
    laws.healthy.signed("meter", "aa")
    laws.healthy.allowed("n1", model="meter", digest="aa")
    laws.healthy.activated(0.0, "n1", model="meter", digest="aa")
    laws.healthy.activated(1.0, "n1", model="label", digest="aa")

    assert broken(laws) == [2]


def test_bytes_that_were_meant_for_another_node_are_not_activated(laws: Laws) -> None:
    laws.healthy.signed("meter", "aa")
    laws.healthy.allowed("n1", model="meter", digest="aa")
    laws.healthy.activated(0.0, "n1", model="meter", digest="aa")
    laws.healthy.activated(1.0, "n2", model="meter", digest="aa")

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(2, 1.0)]


def test_a_failed_version_is_tried_again_only_when_something_else_was_wanted(laws: Laws) -> None:
    laws.healthy.failed("n1", ("aa", "r1"))
    laws.healthy.wished_anew("n1")
    laws.healthy.began(0.0, "n1", ("aa", "r1"))
    laws.healthy.failed("n1", ("aa", "r1"))
    laws.healthy.began(1.0, "n1", ("aa", "r1"))

    assert broken(laws) == [2]


def test_a_commit_needs_what_its_policy_asks_for(laws: Laws) -> None:
    laws.healthy.committed(0.0, "n1", missing="50 answers, after 3")

    assert broken(laws) == [2]


def test_a_record_is_stored_once(laws: Laws) -> None:
    laws.once.promised(0, 10)
    laws.once.kept(0.0, 0, 0, 10)
    laws.once.kept(1.0, 0, 9, 1)

    assert broken(laws) == [3]


def test_a_record_that_waited_while_its_disk_was_copied_may_come_twice(laws: Laws) -> None:
    laws.once.promised(0, 10)
    laws.once.copied(0, 0, 10)
    laws.once.kept(0.0, 0, 0, 10)
    laws.once.kept(1.0, 0, 9, 1)

    assert broken(laws) == []


def test_every_record_is_stored_waiting_or_given_up_in_the_end(laws: Laws) -> None:
    laws.once.promised(0, 10)
    laws.once.kept(0.0, 0, 0, 4)
    laws.once.gave_up(0.0, 0, 4, 2)

    laws.once.settled(1.0, 0, numbers(6, 4))
    laws.once.settled(2.0, 0, numbers(7, 3))

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(3, 2.0)]


def test_a_record_that_the_hub_has_is_not_counted_as_given_up(laws: Laws) -> None:
    laws.once.promised(0, 2)
    laws.once.kept(0.0, 0, 0, 2)
    laws.once.gave_up(1.0, 0, 1, 1)

    assert broken(laws) == [3]


def test_what_was_given_up_is_counted_by_the_node(laws: Laws) -> None:
    laws.once.promised(0, 5)
    laws.once.gave_up(0.0, 0, 0, 5)
    laws.once.counted(1.0, 0, said=5)
    laws.once.counted(2.0, 0, said=4)

    assert broken(laws) == [3]


def test_a_record_keeps_its_event_time(laws: Laws) -> None:
    laws.once.event_time(0.0, 0, shown_s=5.0, made_s=5.0)
    laws.once.event_time(0.0, 0, shown_s=6.0, made_s=5.0)

    assert broken(laws) == [3]


def test_what_a_restored_hub_has_forgotten_is_no_loss_of_the_node(laws: Laws) -> None:
    laws.once.promised(0, 10)
    laws.once.kept(0.0, 0, 0, 4)
    backup = laws.once.backup()
    laws.once.kept(1.0, 0, 4, 6)

    forgotten = laws.once.restored(backup)
    laws.once.settled(2.0, 0, Intervals())

    assert forgotten == 6
    assert broken(laws) == []


def test_an_outbox_stays_within_its_cap(laws: Laws) -> None:
    laws.spool.holds(0.0, "n1", held_bytes=100, cap_bytes=100)
    laws.spool.holds(1.0, "n1", held_bytes=101, cap_bytes=100)

    assert broken(laws) == [4]


@pytest.mark.parametrize(("kept", "breaks"), [(RecordClass.SAMPLE, True), (RecordClass.EVENT, False)])
def test_a_lower_class_is_given_up_first(laws: Laws, kept: RecordClass, *, breaks: bool) -> None:
    laws.spool.gave_up(0.0, "n1", RecordClass.RESULT, {kept: 10})

    assert broken(laws) == ([4] if breaks else [])


def test_a_stage_is_left_by_its_gate_or_by_a_person(laws: Laws) -> None:
    laws.previous.left(0.0, "r1", 0, verdict="go_on", by_person=False)
    laws.previous.left(1.0, "r1", 1, verdict="wait", by_person=True)
    laws.previous.left(2.0, "r1", 2, verdict="wait", by_person=False)

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(5, 2.0)]


def test_no_node_of_a_later_stage_is_touched(laws: Laws) -> None:
    laws.previous.touched(0.0, "r1", set())
    laws.previous.touched(1.0, "r1", {"n7"})

    assert broken(laws) == [5]


@pytest.mark.parametrize(("serves", "breaks"), [("1", False), ("2", False), ("3", True), ("", True)])
def test_after_an_abort_a_machine_has_what_it_had_or_was_meant_to_have(
    laws: Laws, serves: str, *, breaks: bool
) -> None:
    laws.previous.given("r1", "n1", had={"1"})

    laws.previous.returned(0.0, "r1", "n1", serves=serves, meant="2", refused="")

    assert broken(laws) == ([5] if breaks else [])


def test_a_machine_that_never_heard_of_a_rollout_has_nothing_to_return_to(laws: Laws) -> None:
    laws.previous.returned(0.0, "r1", "n1", serves="3", meant="2", refused="")

    assert broken(laws) == []


@pytest.mark.parametrize(("told", "breaks"), [(8, False), (7, True)])
def test_a_gate_counts_only_nodes_that_were_heard_of(laws: Laws, told: int, *, breaks: bool) -> None:
    laws.silence.left(0.0, "r1", told=told, nodes=10, share=0.8)

    assert broken(laws) == ([6] if breaks else [])


def test_a_start_finds_state_and_records_of_one_write(laws: Laws) -> None:
    laws.power.found(0.0, "n1", state_of=3, records_of=3)
    laws.power.found(1.0, "n1", state_of=4, records_of=3)

    assert broken(laws) == [7]


def test_what_the_hub_was_told_is_on_the_disk(laws: Laws) -> None:
    laws.power.told(0.0, "n1", told_of=3, found=3)
    laws.power.told(1.0, "n1", told_of=4, found=3)

    assert broken(laws) == [7]


@pytest.mark.parametrize(
    ("reports", "refused", "breaks"), [("2", "", False), ("1", "", True), ("1", "2", False), ("", "2", True)]
)
def test_a_node_reports_what_is_wanted_or_refused_it(laws: Laws, reports: str, refused: str, *, breaks: bool) -> None:
    laws.converges.rests(0.0, "n1", wants="2", reports=reports, refused=refused)

    assert broken(laws) == ([8] if breaks else [])


def test_nothing_of_a_revoked_node_is_accepted_until_it_is_admitted_again(laws: Laws) -> None:
    laws.borders.crossed(0.0, "n1", "a batch")
    laws.borders.put_out("n1", "was revoked")
    laws.borders.crossed(1.0, "n1", "a batch")
    laws.borders.admitted("n1")
    laws.borders.crossed(2.0, "n1", "a batch")

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(9, 1.0)]


def test_records_of_one_node_are_not_kept_as_those_of_another(laws: Laws) -> None:
    laws.borders.kept(0.0, as_of="n1", by="n1")
    laws.borders.kept(1.0, as_of="n1", by="n2")

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(9, 1.0)]


@pytest.mark.parametrize(
    ("links", "faults"), [({}, 0), ({("node.revoked", "n1"): 2}, 0), ({("node.revoked", "n1"): 1}, 1)]
)
def test_every_crossing_has_one_link_in_a_chain_without_faults(
    laws: Laws, links: dict[tuple[str, str], int], faults: int
) -> None:
    laws.borders.done("node.revoked", "n1")
    laws.borders.written(0.0, {("node.revoked", "n1"): 1}, faults=0)
    laws.borders.written(1.0, links, faults=faults)

    assert [(breach.law, breach.at_s) for breach in laws.breaches] == [(9, 1.0)]


def test_a_restored_chain_need_not_tell_of_what_came_after_the_backup(laws: Laws) -> None:
    before = laws.borders.backup()
    laws.borders.done("node.retired", "n1")
    laws.borders.restored(before)

    laws.borders.written(0.0, {}, faults=0)

    assert broken(laws) == []


def test_each_law_has_its_own_number_and_the_sentence_of_the_architecture(laws: Laws) -> None:
    assert [law.number for law in laws.judges] == [*range(1, 10), 11]
    assert all(law.sentence.endswith(".") for law in laws.judges)
