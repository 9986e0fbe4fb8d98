import numpy as np
import pytest

from ganglion.core.agreement import compared_and_agreed, has_same_form
from ganglion.core.steps import Tensors

LEVELS: Tensors = {"level": np.array([0.5, 0.7], np.float32)}
NAN: Tensors = {"level": np.array([0.5, np.nan], np.float32)}


def test_with_labels_the_rows_with_equal_labels_agree() -> None:
    assert compared_and_agreed(("a", "b", "c"), ("a", "x", "c"), {}, {}) == (3, 2)


@pytest.mark.parametrize("others", [(), ("a",)])
def test_another_number_of_labels_cannot_be_compared(others: tuple[str, ...]) -> None:
    assert compared_and_agreed(("a", "b"), others, LEVELS, LEVELS) == (0, 0)


def test_without_labels_an_answer_of_the_same_form_agrees_whatever_its_values() -> None:
    others: Tensors = {"level": np.array([9.0, -1.0], np.float32)}

    assert compared_and_agreed((), (), LEVELS, others) == (1, 1)


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(NAN, id="nan"),
        pytest.param({"level": np.array([np.inf, 0.0], np.float32)}, id="infinite"),
        pytest.param({"level": np.zeros(3, np.float32)}, id="another shape"),
        pytest.param({"other": LEVELS["level"]}, id="another name"),
    ],
)
def test_without_labels_an_answer_of_another_form_disagrees(others: Tensors) -> None:
    assert compared_and_agreed((), (), LEVELS, others) == (1, 0)


def test_a_value_that_is_no_number_in_both_is_no_difference() -> None:
    assert has_same_form(NAN, NAN)


def test_texts_and_whole_numbers_are_always_finite() -> None:
    words: Tensors = {"word": np.array([b"a"], dtype=object), "count": np.array([1], np.int64)}

    assert has_same_form(words, words)
