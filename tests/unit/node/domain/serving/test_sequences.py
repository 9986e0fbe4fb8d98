"""Which state a request of a sequence goes on from."""

from itertools import count

import pytest

from ganglion.core.errors import InvalidRequest, Overloaded
from ganglion.node.domain.serving.sequences import SequenceLimits, SequencePlace, Sequences


def sequences(**limits: float) -> Sequences[int]:
    """Return sequences whose states are 0, 1, 2 in the order in which they begin."""
    numbers = count()
    return Sequences(lambda: next(numbers), SequenceLimits(**limits))  # type: ignore[arg-type]  # whole ones where meant


def test_the_requests_of_a_sequence_share_one_state() -> None:
    table = sequences()

    states = [
        table.take(SequencePlace("a", is_first=True), now_s=0),
        table.take(SequencePlace("b", is_first=True), now_s=0),
        table.take(SequencePlace("a"), now_s=1),
        table.take(SequencePlace("b"), now_s=1),
    ]

    assert states == [0, 1, 0, 1]


def test_a_sequence_that_nobody_began_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'a' is not open"):
        sequences().take(SequencePlace("a"), now_s=0)


def test_the_last_request_ends_the_sequence() -> None:
    table = sequences()
    table.take(SequencePlace("a", is_first=True), now_s=0)
    last = SequencePlace("a", is_last=True)

    table.end(last, table.take(last, now_s=0))

    assert len(table) == 0
    with pytest.raises(InvalidRequest):
        table.take(SequencePlace("a"), now_s=0)


def test_a_first_request_begins_anew_where_the_name_is_open() -> None:
    table = sequences(open_max=1)
    table.take(SequencePlace("a", is_first=True), now_s=0)

    assert table.take(SequencePlace("a", is_first=True), now_s=0) == 1
    assert table.take(SequencePlace("a"), now_s=0) == 1


def test_a_request_between_does_not_end_the_sequence() -> None:
    table = sequences()
    state = table.take(SequencePlace("a", is_first=True), now_s=0)

    table.end(SequencePlace("a"), state)

    assert table.take(SequencePlace("a"), now_s=0) == state


def test_the_end_of_an_old_sequence_leaves_a_new_one_of_the_same_name() -> None:
    table = sequences()
    old = table.take(SequencePlace("a", is_first=True), now_s=0)
    new = table.take(SequencePlace("a", is_first=True), now_s=0)

    table.end(SequencePlace("a", is_last=True), old)

    assert table.take(SequencePlace("a"), now_s=0) == new


def test_no_more_are_kept_than_the_limit_allows() -> None:
    table = sequences(open_max=2, idle_s_max=10)
    for name in ("a", "b"):
        table.take(SequencePlace(name, is_first=True), now_s=0)

    with pytest.raises(Overloaded, match="2 sequences are open"):
        table.take(SequencePlace("c", is_first=True), now_s=10)

    assert table.take(SequencePlace("a"), now_s=10) == 0


def test_the_longest_idle_makes_room_and_is_then_unknown() -> None:
    table = sequences(open_max=2, idle_s_max=10)
    for name in ("a", "b"):
        table.take(SequencePlace(name, is_first=True), now_s=0)
    table.take(SequencePlace("a"), now_s=5)

    assert table.take(SequencePlace("c", is_first=True), now_s=11) == 2

    assert table.take(SequencePlace("a"), now_s=11) == 0
    with pytest.raises(InvalidRequest):
        table.take(SequencePlace("b"), now_s=11)


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_name_that_is_empty_or_too_long_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 128 characters"):
        sequences().take(SequencePlace(name, is_first=True), now_s=0)
