import math

import pytest

from ganglion.core.behaviour import CLASSES_MAX, CONFIDENCE_BINS, OTHER_CLASS, Behaviour, confidence_bin
from ganglion.core.errors import InvalidRequest


def test_answers_errors_and_comparisons_are_counted() -> None:
    behaviour = Behaviour()

    behaviour.count_answer(200, ["a", "b"], [0.97, 0.5])
    behaviour.count_error()
    behaviour.count_comparison(4, 3, 250)

    assert (behaviour.requests, behaviour.error_rate) == (2, 0.5)
    assert behaviour.classes == {"a": 1, "b": 1}
    assert behaviour.agreement == 0.75
    assert behaviour.compared_latency_us.count == 1


def test_nothing_asked_means_no_errors_and_full_agreement() -> None:
    assert (Behaviour().error_rate, Behaviour().agreement) == (0.0, 1.0)


def test_a_comparison_of_no_rows_has_no_latency() -> None:
    behaviour = Behaviour()

    behaviour.count_comparison(0, 0, 0)

    assert behaviour.compared_latency_us.count == 0


def test_how_sure_the_other_version_was_is_counted_and_adds_up() -> None:
    behaviour, other = Behaviour(), Behaviour()
    behaviour.count_heard([])
    assert behaviour.compared_confidence == []

    other.count_heard([0.97, 0.5])
    behaviour.merge(other)
    behaviour.merge(other)
    behaviour.check()

    assert sum(behaviour.compared_confidence) == 4
    assert other.compared_confidence[-1] == 1
    with pytest.raises(InvalidRequest):
        Behaviour(compared_confidence=[1, 2]).check()


def test_classes_beyond_the_limit_are_counted_together() -> None:
    behaviour = Behaviour()

    behaviour.count_answer(1, [str(index) for index in range(CLASSES_MAX + 10)], [0.5] * (CLASSES_MAX + 10))

    assert behaviour.classes[OTHER_CLASS] == 10
    assert len(behaviour.classes) == CLASSES_MAX + 1


def test_merging_two_halves_is_counting_all_at_once() -> None:
    first, second, whole = Behaviour(), Behaviour(), Behaviour()
    for index in range(10):
        part = first if index % 2 else second
        for behaviour in (part, whole):
            behaviour.count_answer(100 + index, [str(index % 3)], [index / 10])
            behaviour.count_comparison(1, index % 2, 90)

    first.merge(second)

    assert first == whole


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [
        (0.0, 0),
        (0.049, 0),
        (0.05, 1),
        (1.0, CONFIDENCE_BINS - 1),
        (7.0, CONFIDENCE_BINS - 1),
        (math.inf, CONFIDENCE_BINS - 1),
        (-1.0, 0),
        (math.nan, 0),
    ],
)
def test_every_confidence_has_a_bin(confidence: float, expected: int) -> None:
    assert confidence_bin(confidence) == expected
