"""Laws of the shared words: histograms, behaviour, strict JSON, drift."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core import drift, input_counts, strict_json
from ganglion.core.behaviour import Behaviour, confidence_bin
from ganglion.core.histogram import Histogram
from ganglion.core.strict_json import DEPTH_MAX, StrictJsonError

VALUES = st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=60)
COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=20).filter(any)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def histogram_of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


# --- histograms -----------------------------------------------------------------------------------


@given(VALUES, st.floats(0.0, 1.0))
def test_a_quantile_is_within_1_1_percent_of_the_value_at_its_rank(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]

    assert histogram_of(values).quantile(share) == pytest.approx(exact, rel=0.011)


@given(VALUES, VALUES, VALUES)
def test_merging_is_exact_in_any_order_and_grouping(
    first: list[float], second: list[float], third: list[float]
) -> None:
    whole = histogram_of(first + second + third)
    left = histogram_of(third)
    left.merge(histogram_of(first))
    left.merge(histogram_of(second))

    assert left.buckets == whole.buckets
    assert left.zeros == whole.zeros
    assert left.total == pytest.approx(whole.total)


@given(VALUES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_quantiles_rise_with_their_share(values: list[float], first: float, second: float) -> None:
    histogram = histogram_of(values)
    low, high = sorted((first, second))

    assert histogram.quantile(low) <= histogram.quantile(high)


@given(st.floats())
def test_any_float_can_be_counted(value: float) -> None:
    histogram = Histogram()

    histogram.add(value)

    assert histogram.count == 1
    assert math.isfinite(histogram.total)


@given(st.lists(st.tuples(st.text(max_size=3), st.floats()), max_size=30), st.integers(0, 30))
def test_counting_in_two_places_and_merging_is_counting_in_one(answers: list[tuple[str, float]], boundary: int) -> None:
    first, second, whole = Behaviour(), Behaviour(), Behaviour()
    for index, (label, confidence) in enumerate(answers):
        for behaviour in (first if index < boundary else second, whole):
            behaviour.count_answer(index, [label], [confidence])

    first.merge(second)

    assert (first.requests, first.confidence, first.classes) == (whole.requests, whole.confidence, whole.classes)
    assert sum(whole.confidence) == len(answers)


EDGES = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=64, unique=True).map(sorted)


@given(EDGES, st.lists(st.floats(allow_nan=False), max_size=40), st.integers(0, 40))
def test_input_histograms_add_up_wherever_their_rows_were_counted(
    edges: list[float], values: list[float], boundary: int
) -> None:
    first, second, whole = Behaviour(), Behaviour(), Behaviour()
    for index, value in enumerate(values):
        found = {"x": (input_counts.bin_of(edges, value), input_counts.bins_of(edges))}
        for behaviour in (first if index < boundary else second, whole):
            behaviour.count_input(found)

    there, back = Behaviour(), Behaviour()
    for total, parts in ((there, (first, second)), (back, (second, first))):
        for part in parts:
            total.merge(part)

    assert there.inputs == back.inputs == whole.inputs
    assert sum(whole.inputs.get("x", [])) == len(values)
    whole.check()


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_confidence_bins_keep_the_order(first: float, second: float) -> None:
    low, high = sorted((first, second))

    assert confidence_bin(low) <= confidence_bin(high)


# --- strict JSON ----------------------------------------------------------------------------------


@given(JSON)
def test_what_a_json_library_writes_is_read_as_it_was(document: object) -> None:
    assert strict_json.loads(json.dumps(document).encode(), what="it") == document


@given(st.binary(max_size=60) | st.text(alphabet='[]{}":,\\ 0aNeE+-.', max_size=40).map(str.encode))
def test_any_bytes_give_a_document_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(StrictJsonError):
        assert strict_json.loads(data, what="it") == json.loads(data)


@given(st.integers(1, 200), st.sampled_from([("[", "]"), ('{"a":', "}")]))
def test_depth_is_allowed_up_to_the_limit_and_never_beyond(depth: int, brackets: tuple[str, str]) -> None:
    text = (brackets[0] * depth + "1" + brackets[1] * depth).encode()

    if depth <= DEPTH_MAX:
        strict_json.loads(text, what="it")
    else:
        with pytest.raises(StrictJsonError, match="deeper"):
            strict_json.loads(text, what="it")


# --- drift ----------------------------------------------------------------------------------------


@given(COUNTS, st.integers(1, 50))
def test_the_same_shares_are_never_a_shift(counts: list[int], factor: int) -> None:
    assert not drift.compare(counts, [count * factor for count in counts]).is_shifted


@given(
    st.integers(2, 20).flatmap(
        lambda bins: st.tuples(*[st.lists(st.integers(1, 9999), min_size=bins, max_size=bins)] * 2)
    )
)
def test_the_index_does_not_care_which_side_is_the_reference(sides: tuple[list[int], list[int]]) -> None:
    there, back = drift.compare(*sides), drift.compare(*reversed(sides))

    assert there.psi >= 0
    assert there.psi == pytest.approx(back.psi)
    assert there.is_shifted == back.is_shifted


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_wilson_interval_holds_the_share_that_was_seen(successes: int, trials: int) -> None:
    successes = min(successes, trials)

    low, high = drift.wilson_interval(successes, trials)

    assert -1e-9 <= low <= successes / trials + 1e-9
    assert successes / trials - 1e-9 <= high <= 1 + 1e-9
