import pytest

from ganglion.core.errors import Rejected
from ganglion.factory.domain.evaluation import compare
from unit.factory.builders import a_comparison, an_evaluation


def test_accuracy_is_the_share_of_right_rows() -> None:
    assert an_evaluation("aabb", "aaba").accuracy == 0.75


def test_accuracy_of_nothing_is_refused() -> None:
    with pytest.raises(Rejected):
        _ = an_evaluation("", "").accuracy


def test_a_comparison_counts_rows_on_which_only_one_was_right() -> None:
    comparison = compare(an_evaluation("aaaa", "aabb"), an_evaluation("aaaa", "abab"))

    assert (comparison.lost, comparison.won, comparison.loss) == (1, 1, 0.0)


def test_the_loss_is_the_difference_of_the_accuracies() -> None:
    comparison = compare(an_evaluation("aaaa", "aaab"), an_evaluation("aaaa", "abbb"))

    assert comparison.loss == comparison.reference_accuracy - comparison.candidate_accuracy == 0.5


def test_the_bound_widens_with_disagreement_and_narrows_with_rows() -> None:
    assert a_comparison().loss_upper == 0.0
    assert a_comparison(lost=10, won=10).loss_upper > a_comparison(lost=1, won=1).loss_upper
    assert a_comparison(rows=100, lost=1, won=1).loss_upper > a_comparison(lost=1, won=1).loss_upper


def test_the_bound_is_the_published_formula() -> None:
    assert a_comparison(rows=400, lost=6, won=3).loss_upper == pytest.approx(0.0075 + 1.64 * 3 / 400)


def test_evaluations_of_different_rows_are_not_compared() -> None:
    with pytest.raises(Rejected, match="same held-out rows"):
        compare(an_evaluation("ab", "ab"), an_evaluation("ba", "ba"))
