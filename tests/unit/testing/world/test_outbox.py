"""An outbox of runs gives up, sends, forgets and renumbers as one of records would."""

from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.testing.world.outbox import Outbox
from ganglion.testing.world.runs import Run
from ganglion.wire.records import RecordClass

RESULT, SAMPLE, EVENT = RecordClass.RESULT, RecordClass.SAMPLE, RecordClass.EVENT


def outbox(*shape: tuple[RecordClass, int]) -> Outbox:
    made, origin = Outbox("e1"), 0
    for kind, count in shape:
        made.append(Run(0, count, kind, 100, 0, origin, 0.0, 0.0))
        origin += count
    return made


def spans(runs: list[Run]) -> list[tuple[RecordClass, int, int]]:
    return [(run.kind, run.seq, run.last) for run in runs]


def make_room(box: Outbox, cap_bytes: int) -> list[Run]:
    return box.make_room(OutboxLimits(total_bytes_max=cap_bytes), held_bytes=0, free_bytes=10**9)


def test_the_lowest_class_is_given_up_first_and_the_oldest_of_it() -> None:
    box = outbox((EVENT, 2), (SAMPLE, 5), (RESULT, 10), (SAMPLE, 5))

    gone = make_room(box, 1300)

    assert spans(gone) == [(SAMPLE, 3, 7), (SAMPLE, 18, 21)]
    assert (box.held_bytes, box.waiting, box.shed) == (1300, 13, {"sample": 9})


def test_what_was_handed_out_for_sending_stays() -> None:
    box = outbox((SAMPLE, 5), (RESULT, 10))
    box.oldest(300)

    gone = make_room(box, 400)

    assert spans(gone) == [(SAMPLE, 4, 5), (RESULT, 6, 14)]
    assert spans(list(box.runs())) == [(SAMPLE, 1, 3), (RESULT, 15, 15)]


def test_a_batch_is_cut_where_the_link_carries_no_more_and_has_one_record_at_least() -> None:
    box = outbox((EVENT, 2), (RESULT, 10))

    assert spans(box.oldest(450)) == [(EVENT, 1, 2), (RESULT, 3, 4)]
    assert spans(box.oldest(1)) == [(EVENT, 1, 1)]
    assert box.sent == 4


def test_what_is_acknowledged_is_forgotten_to_the_record() -> None:
    box = outbox((EVENT, 2), (RESULT, 10))

    box.forget(5)

    assert spans(list(box.runs())) == [(RESULT, 6, 12)]
    assert (box.waiting, box.held_bytes) == (7, 700)


def test_a_new_epoch_numbers_what_waits_from_one() -> None:
    box = outbox((EVENT, 2), (RESULT, 10), (SAMPLE, 1))
    box.forget(4)
    box.shed = {"sample": 3}

    box.renew("e2")

    assert spans(list(box.runs())) == [(RESULT, 1, 8), (SAMPLE, 9, 9)]
    assert (box.epoch, box.made, box.sent, box.shed, box.shed_before) == ("e2", 9, 0, {}, 3)


def test_a_full_disk_lets_nothing_grow() -> None:
    box = outbox((RESULT, 10))

    gone = box.make_room(OutboxLimits(total_bytes_max=10**6), held_bytes=400, free_bytes=0)

    assert spans(gone) == [(RESULT, 1, 6)]


def test_a_copy_lives_its_own_life() -> None:
    box = outbox((RESULT, 10))
    copy = box.copy()

    box.forget(10)
    copy.renew("e2")

    assert (box.waiting, copy.waiting, copy.epoch) == (0, 10, "e2")
