import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.factory.domain.promotion import PromotionSettings, decide, next_version
from unit.factory.builders import a_comparison

SETTINGS = PromotionSettings(accuracy_loss_max=0.02)


def test_a_better_model_is_promoted_with_both_accuracies_as_the_reason() -> None:
    verdict = decide(a_comparison(lost=2, won=42), SETTINGS)

    assert verdict.promoted
    assert verdict.reason == "accuracy 94.00% against 90.00% on the same 1000 held-out rows"


def test_an_equal_model_is_promoted_when_there_are_enough_rows() -> None:
    assert decide(a_comparison(lost=5, won=5), SETTINGS).promoted


def test_a_worse_model_is_not_promoted() -> None:
    verdict = decide(a_comparison(lost=60, won=5), SETTINGS)

    assert not verdict.promoted
    assert "loses more than 2.00%" in verdict.reason


def test_doubt_is_not_a_promotion_and_asks_for_more_rows() -> None:
    verdict = decide(a_comparison(rows=50, lost=3, won=3), SETTINGS)

    assert not verdict.promoted
    assert "more held-out rows" in verdict.reason


@pytest.mark.parametrize(("version", "expected"), [("1", "2"), ("9", "10"), ("007", "8")])
def test_a_numbered_version_is_followed_by_the_next(version: str, expected: str) -> None:
    assert next_version(version) == expected


@pytest.mark.parametrize("version", ["1.2", "v1", "", "²"])
def test_a_version_that_is_no_number_needs_a_named_successor(version: str) -> None:
    with pytest.raises(InvalidRequest, match="must be named"):
        next_version(version)
