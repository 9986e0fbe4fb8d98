"""What a session holds between a person and a node: everything once and in order, and never more than it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.shells.relay import Input, Output
from ganglion.wire.shells import PIECE_BYTES_MAX, ShellTyped


def test_output_that_comes_twice_is_shown_once() -> None:
    output = Output(1000)

    received = [output.take(0, b"abc"), output.take(0, b"abc"), output.take(1, b"bcde"), output.take(5, b"f")]

    assert received == [3, 3, 5, 6]
    assert output.after(0) == b"abcdef"


def test_output_with_a_gap_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Output(1000).take(1, b"b")


def test_output_that_has_no_room_is_taken_when_somebody_has_read() -> None:
    output = Output(4)

    assert output.take(0, b"abcdef") == 4
    assert output.take(4, b"ef") == 4
    assert output.after(3) == b"d"
    assert output.take(4, b"ef") == 6


@pytest.mark.parametrize("offset", [-1, 2, 9])
def test_output_that_was_read_before_or_not_shown_yet_cannot_be_asked_for(offset: int) -> None:
    output = Output(1000)
    output.take(0, b"abcdef")
    output.after(3)

    with pytest.raises(InvalidRequest):
        output.after(offset)


@given(pieces=st.lists(st.binary(max_size=50), max_size=20), room=st.integers(1, 64), repeats=st.integers(1, 3))
def test_all_that_is_sent_arrives_once_and_in_order(pieces: list[bytes], room: int, repeats: int) -> None:
    output, read, sent = Output(room), b"", 0
    for piece in pieces:
        end = sent + len(piece)
        begin = sent
        while sent < end:
            for _ in range(repeats):
                sent = output.take(begin, piece)
            read += output.after(len(read))

    assert read == b"".join(pieces)


def test_input_is_numbered_and_taken_once() -> None:
    given_ = Input(1000)

    assert [given_.put(ShellTyped(number, b"x")) for number in (1, 2, 1, 2)] == [True] * 4
    assert [typed.number for typed in given_.after(0)] == [1, 2]
    assert [typed.number for typed in given_.after(1)] == [2]
    assert given_.after(2) == ()


@pytest.mark.parametrize("typed", [ShellTyped(2, b"x"), ShellTyped(1, b"x" * (PIECE_BYTES_MAX + 1))])
def test_input_out_of_order_or_out_of_bounds_is_refused(typed: ShellTyped) -> None:
    with pytest.raises(InvalidRequest):
        Input(1 << 20).put(typed)


def test_input_without_room_waits_for_the_node() -> None:
    given_ = Input(300)
    taken = [given_.put(ShellTyped(number, b"x" * 50)) for number in (1, 2, 3)]

    assert taken == [True, True, False]
    given_.after(1)
    assert given_.put(ShellTyped(3, b"x" * 50))


def test_changes_of_size_without_end_do_not_fill_the_memory() -> None:
    given_ = Input(10_000)

    assert not all(given_.put(ShellTyped(number, columns=80, rows=24)) for number in range(1, 1000))


def test_one_message_carries_so_much_input_and_no_more() -> None:
    given_ = Input(1 << 20)
    for number in range(1, 5):
        given_.put(ShellTyped(number, b"x" * PIECE_BYTES_MAX))

    assert [typed.number for typed in given_.after(0)] == [1]
