import math

import pytest

from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.core.typicality import Typicality, typicality

EDGES = (0.0, 0.5, 0.8, 1.0)


def held_out(counts: tuple[int, ...] = (1, 9, 89)) -> Typicality:
    made = typicality(DriftReference(HistogramReference(EDGES, counts), {"cat": 50, "dog": 49, "owl": 0}))
    assert made is not None
    return made


def test_an_answer_as_sure_as_any_on_held_out_data_is_not_strange() -> None:
    assert held_out().score("cat", 1.0) == pytest.approx(0.0)


def test_an_answer_less_sure_than_all_but_one_is_strange() -> None:
    assert held_out().score("dog", 0.5) == pytest.approx(0.98)
    assert held_out().score("dog", 0.0) == pytest.approx(0.99)


def test_the_less_sure_the_stranger() -> None:
    scores = [held_out().score("cat", step / 20) for step in range(21)]

    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("label", "confidence"), [("owl", 0.99), ("bat", 0.99), ("cat", math.nan)])
def test_a_label_that_never_came_up_and_no_number_are_as_strange_as_can_be(label: str, confidence: float) -> None:
    assert held_out().score(label, confidence) == pytest.approx(0.99)


def test_few_held_out_rows_call_nothing_strange() -> None:
    assert held_out((1, 0, 1)).score("bat", 0.0) < 0.7


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 2), (1, 2, 3, 4)])
def test_a_reference_without_rows_or_with_other_bins_says_nothing(counts: tuple[int, ...]) -> None:
    assert typicality(DriftReference(HistogramReference(EDGES, counts), {"cat": 1})) is None


def test_edges_that_do_not_ascend_say_nothing() -> None:
    assert typicality(DriftReference(HistogramReference((0.0, 0.0, 1.0), (1, 1)), {"cat": 1})) is None


def test_a_package_without_a_reference_says_nothing() -> None:
    assert typicality(None) is None
