import math

import pytest

from ganglion.core import input_counts
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import InvalidRequest
from ganglion.core.input_counts import EDGES_MAX, HISTOGRAMS_MAX, NAME_LENGTH_MAX, bin_of, bins_of, fault_of

EDGES = (0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-math.inf, 0), (-0.1, 0), (0.0, 1), (0.9, 1), (1.0, 2), (1.9, 2), (2.0, 3), (math.inf, 3)],
)
def test_a_value_is_counted_below_between_or_above_the_edges(value: float, expected: int) -> None:
    assert bin_of(EDGES, value) == expected
    assert expected < bins_of(EDGES)


def test_rows_are_counted_by_the_figures_of_their_inputs() -> None:
    behaviour = Behaviour()

    behaviour.count_input({"x[0]": (1, 4), "x[1]": (0, 3)})
    behaviour.count_input({"x[0]": (3, 4)})

    assert behaviour.inputs == {"x[0]": [0, 1, 0, 1], "x[1]": [1, 0, 0]}


def test_a_merge_changes_only_what_is_merged_into() -> None:
    total, part = Behaviour(), Behaviour()
    part.count_input({"x": (1, 4)})
    total.merge(part)

    total.merge(part)

    assert (total.inputs["x"], part.inputs["x"]) == ([0, 2, 0, 0], [0, 1, 0, 0])


def test_counts_over_other_edges_are_left_out() -> None:
    total = Behaviour(inputs={"x": [1, 1, 1]})

    total.merge(Behaviour(inputs={"x": [1, 1, 1, 1], "y": [0, 1, 0]}))

    assert total.inputs == {"x": [1, 1, 1], "y": [0, 1, 0]}


@pytest.mark.parametrize("found", [(-1, 3), (3, 3), (0, 0), (0, EDGES_MAX + 2), (10**9, 10**9 + 1)])
def test_a_bin_that_cannot_be_is_not_counted(found: tuple[int, int]) -> None:
    counted: dict[str, list[int]] = {}

    input_counts.count(counted, {"x": found})

    assert counted == {}


def test_names_beyond_the_limits_are_left_out() -> None:
    counted: dict[str, list[int]] = {}

    input_counts.count(counted, {"n" * (NAME_LENGTH_MAX + 1): (0, 3)})
    input_counts.count(counted, {f"x{number}": (0, 3) for number in range(HISTOGRAMS_MAX + 5)})

    assert len(counted) == HISTOGRAMS_MAX
    input_counts.check(counted)


@pytest.mark.parametrize(
    "counts",
    [
        {"x": []},
        {"x": [0] * 2},
        {"x": [0] * (EDGES_MAX + 2)},
        {"x": [-1, 0, 0]},
        {"x": [2**60, 0, 0]},
        {"x" * (NAME_LENGTH_MAX + 1): [0] * 3},
        {str(number): [0] * 3 for number in range(HISTOGRAMS_MAX + 1)},
    ],
)
def test_counts_that_no_counting_makes_are_refused(counts: dict[str, list[int]]) -> None:
    with pytest.raises(InvalidRequest):
        Behaviour(inputs=counts).check()


def test_counts_with_the_most_edges_pass() -> None:
    Behaviour(inputs={"x": [1] * (EDGES_MAX + 1)}).check()

    assert fault_of("x", [*range(EDGES_MAX)], [1] * (EDGES_MAX - 1)) == ""


@pytest.mark.parametrize(
    ("name", "edges", "counts", "fault"),
    [
        ("x", (), (), "0 edges"),
        ("x", (1.0,), (), "1 edges"),
        ("x", (*range(EDGES_MAX + 1),), (1,) * EDGES_MAX, "65 edges"),
        ("x", (0.0, 1.0), (1, 1), "2 counts"),
        ("x", (0.0, 0.0), (1,), "above the one before"),
        ("x", (1.0, 0.0), (1,), "above the one before"),
        ("x", (0.0, math.inf), (1,), "finite"),
        ("x", (math.nan, 1.0), (1,), "finite"),
        ("x" * (NAME_LENGTH_MAX + 1), (0.0, 1.0), (1,), "longer"),
    ],
)
def test_a_reference_over_which_nothing_can_be_counted_is_at_fault(
    name: str, edges: tuple[float, ...], counts: tuple[int, ...], fault: str
) -> None:
    assert fault in fault_of(name, edges, counts)
