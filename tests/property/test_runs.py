"""Runs of records mean what their records mean one by one (`hub.domain.ingest`); intervals mean what sets mean."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ganglion.hub.domain.records import ingest
from ganglion.testing.laws.intervals import Intervals
from ganglion.testing.world import runs
from ganglion.testing.world.runs import Run
from ganglion.wire.records import Envelope, RecordClass

gaps_and_counts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=6)
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=12)


def runs_of(shape: Sequence[tuple[int, int]]) -> list[Run]:
    made, seq = [], 1
    for gap, count in shape:
        seq += gap
        made.append(Run(seq, count, RecordClass.RESULT, 100, 0, seq, 0.0, 0.0))
        seq += count
    return made


def envelopes(some: Sequence[Run]) -> list[Envelope]:
    return [Envelope(seq, int(run.kind), 0, b"") for run in some for seq in range(run.seq, run.seq + run.count)]


@given(gaps_and_counts, st.integers(0, 40))
def test_what_is_fresh_of_runs_is_what_is_fresh_of_their_records(shape: list[tuple[int, int]], cursor: int) -> None:
    some = runs_of(shape)

    fresh = runs.fresh(some, cursor)

    assert envelopes(fresh) == list(ingest.fresh(envelopes(some), cursor))


@given(gaps_and_counts, st.integers(0, 40))
def test_the_gaps_between_runs_are_the_gaps_between_their_records(shape: list[tuple[int, int]], cursor: int) -> None:
    fresh = runs.fresh(runs_of(shape), cursor)

    assert runs.gaps(fresh, cursor) == ingest.gaps(envelopes(fresh), cursor)


@given(gaps_and_counts, st.integers(0, 5))
def test_cutting_a_run_loses_nothing(shape: list[tuple[int, int]], cut: int) -> None:
    for run in runs_of(shape):
        place = min(cut, run.count - 1)

        assert envelopes([run.ahead(place), run.behind(place)]) == envelopes([run])


@given(spans, st.tuples(st.integers(0, 60), st.integers(1, 12)))
def test_intervals_are_a_set_of_numbers(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    intervals, numbers = Intervals(), set[int]()
    for first, count in added:
        new = {*range(first, first + count)}
        assert intervals.add(first, count) == len(new & numbers)
        numbers |= new

    span = {*range(asked[0], sum(asked))}
    assert intervals.size == len(numbers)
    assert intervals.overlap(*asked) == len(numbers & span)
    assert {number for first, end in intervals for number in range(first, end)} == numbers


@given(spans, spans)
def test_what_is_left_without_others_is_their_difference(
    ours: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    left, right = Intervals(), Intervals()
    for intervals, added in ((left, ours), (right, others)):
        for first, count in added:
            intervals.add(first, count)

    difference = {number for first, end in left.without(right) for number in range(first, end)}

    assert difference == {n for a, b in left for n in range(a, b)} - {n for a, b in right for n in range(a, b)}
