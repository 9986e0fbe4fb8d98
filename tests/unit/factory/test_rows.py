import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.factory.domain import rows
from ganglion.factory.domain.rows import LabelledRows, make_rows
from unit.factory.builders import some_rows


def values(part: LabelledRows) -> set[float]:
    return {float(value) for value in part.x[:, 0]}


def test_images_are_laid_flat_and_whole_numbers_become_fp32() -> None:
    made = make_rows(np.zeros((3, 8, 8), np.uint8), [0, 1, 2])

    assert made.x.shape == (3, 64)
    assert made.x.dtype == np.float32


def test_number_labels_are_sorted_as_numbers_and_words_after_them() -> None:
    made = make_rows(np.zeros((4, 1)), np.array(["10", "2", "none", "1"]))

    assert made.labels == ("1", "2", "10", "none")


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity"])
def test_a_word_that_python_takes_for_a_number_is_a_word(word: str) -> None:
    made = make_rows(np.zeros((4, 1)), np.array([word, "b", "2", "1"]))

    assert made.labels == ("1", "2", *sorted(["b", word]))


def test_a_class_that_a_table_program_wrote_as_a_float_keeps_its_name() -> None:
    assert make_rows(np.zeros((2, 1)), np.array([3.0, 4.0])).y == ("3", "4")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.array([["a"]]), ["0"]),
        (np.zeros((0, 3)), []),
        (np.array([[np.nan]]), ["0"]),
        (np.array([[np.inf]]), ["0"]),
        (np.zeros((2, 3)), ["0"]),
        (np.array(1.0), ["0"]),
    ],
)
def test_what_are_no_labelled_numbers_is_refused(x: np.ndarray, y: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        make_rows(x, y)


def test_a_label_outside_the_known_ones_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="8 "):
        make_rows(np.zeros((2, 1)), ["8", "8 "], ["8"])


def test_labels_that_stand_twice_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        make_rows(np.zeros((1, 1)), ["a"], ["a", "a"])


def test_a_split_keeps_every_row_once() -> None:
    rest, held_out = rows.split(some_rows(100), 0.2, salt="s")

    assert (len(rest), len(held_out)) == (80, 20)
    assert values(rest) | values(held_out) == values(some_rows(100))


def test_a_split_depends_on_the_rows_and_not_on_their_order() -> None:
    turned = some_rows(50).take(range(49, -1, -1))

    assert values(rows.split(turned, 0.3, salt="s")[1]) == values(rows.split(some_rows(50), 0.3, salt="s")[1])


def test_two_salts_split_differently() -> None:
    first, second = (rows.split(some_rows(100), 0.5, salt=salt)[1] for salt in ("a", "b"))

    assert values(first) != values(second)


def test_equal_rows_land_on_the_same_side() -> None:
    doubled = rows.join(some_rows(30), some_rows(30))

    rest, held_out = rows.split(doubled, 0.4, salt="s")

    assert not values(rest) & values(held_out)


def test_rows_that_are_held_out_are_not_trained_on_whatever_their_label() -> None:
    relabelled = make_rows(some_rows(5).x, ["odd"] * 5, ["even", "odd"])

    assert values(rows.without(some_rows(10), relabelled)) == {5.0, 6.0, 7.0, 8.0, 9.0}


def test_minus_zero_is_the_same_row_as_zero() -> None:
    zero, minus = (make_rows(np.array([[value]]), ["a"]) for value in (0.0, -0.0))

    assert len(rows.without(zero, minus)) == 0


def test_rows_of_two_models_are_not_joined() -> None:
    with pytest.raises(InvalidRequest, match="two models"):
        rows.join(some_rows(), make_rows(np.zeros((1, 7)), ["even"]))


def test_the_digest_names_rows_and_labels_in_any_order() -> None:
    turned = some_rows(10).take(range(9, -1, -1))
    relabelled = make_rows(some_rows(10).x, ["odd"] * 10, ["even", "odd"])

    assert rows.digest(turned) == rows.digest(some_rows(10))
    assert rows.digest(relabelled) != rows.digest(some_rows(10))
