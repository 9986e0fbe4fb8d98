from ganglion.hub.domain.records import clock_error
from ganglion.trust.clock_floor import BUILT_AT_S

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
YEAR_NS = 365 * DAY_NS
NOW_NS = int(BUILT_AT_S) * SECOND_NS + YEAR_NS


def corrected(*times_ns: int, sent_at_ns: int = NOW_NS, received_at_ns: int = NOW_NS) -> list[int]:
    return clock_error.corrected(times_ns, sent_at_ns=sent_at_ns, received_at_ns=received_at_ns)


def test_a_right_clock_is_believed_however_old_the_events_are() -> None:
    assert corrected(NOW_NS - 30 * DAY_NS, NOW_NS) == [NOW_NS - 30 * DAY_NS, NOW_NS]


def test_a_slow_way_is_no_wrong_clock() -> None:
    assert clock_error.estimate(sent_at_ns=NOW_NS - 20 * SECOND_NS, received_at_ns=NOW_NS) == 0
    assert corrected(NOW_NS - DAY_NS, sent_at_ns=NOW_NS - 20 * SECOND_NS) == [NOW_NS - DAY_NS]


def test_a_clock_that_is_ahead_or_behind_is_shifted_by_its_error() -> None:
    ahead, behind = NOW_NS + 2 * DAY_NS, NOW_NS - 2 * DAY_NS

    assert corrected(ahead - SECOND_NS, sent_at_ns=ahead) == [NOW_NS - SECOND_NS]
    assert corrected(behind - SECOND_NS, sent_at_ns=behind) == [NOW_NS - SECOND_NS]
    assert clock_error.estimate(sent_at_ns=ahead, received_at_ns=NOW_NS) == 2 * DAY_NS


def test_a_node_that_began_in_1970_and_still_believes_it_keeps_its_distances() -> None:
    began_ns = 100 * SECOND_NS

    assert corrected(began_ns, began_ns + 60 * SECOND_NS, sent_at_ns=began_ns + 90 * SECOND_NS) == [
        NOW_NS - 90 * SECOND_NS,
        NOW_NS - 30 * SECOND_NS,
    ]


def test_what_was_written_in_1970_before_the_clock_was_put_right_gets_the_time_of_its_next_neighbour() -> None:
    right = NOW_NS - 60 * SECOND_NS

    assert corrected(5, 10, right) == [right, right, right]
    assert corrected(right, 5) == [right, NOW_NS]


def test_what_was_written_before_the_clock_went_wrong_keeps_its_time() -> None:
    right = NOW_NS - DAY_NS

    assert corrected(right, 50, sent_at_ns=100) == [right, NOW_NS - 50]


def test_nothing_is_later_than_its_arrival() -> None:
    assert corrected(NOW_NS + 10 * SECOND_NS, NOW_NS + YEAR_NS) == [NOW_NS, NOW_NS]


def test_a_batch_that_does_not_say_when_it_left_is_taken_at_its_records_word() -> None:
    assert corrected(NOW_NS - DAY_NS, sent_at_ns=0) == [NOW_NS - DAY_NS]


def test_a_hub_whose_own_clock_cannot_be_right_corrects_nothing() -> None:
    assert corrected(NOW_NS, 5, sent_at_ns=NOW_NS, received_at_ns=1000) == [NOW_NS, 5]
    assert clock_error.estimate(sent_at_ns=NOW_NS, received_at_ns=1000) == 0


def test_an_empty_batch_has_no_times() -> None:
    assert corrected() == []
