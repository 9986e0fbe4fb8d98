import math

import pytest

from ganglion.core.pipeline import Prediction
from ganglion.node.domain.sampling import ByteBudget, Choice, SampleReason, choose
from ganglion.wire.messages import CollectionSettings

SETTINGS = CollectionSettings(confidence_below=0.6, random_share=0.1)


def predictions(*confidences: float) -> list[Prediction]:
    return [Prediction("a", confidence, 0.0) for confidence in confidences]


def test_the_least_certain_row_below_the_limit_is_kept() -> None:
    choice = choose(SETTINGS, predictions(0.9, 0.3, 0.5), rows=3, chance=0.99)

    assert choice == Choice(1, SampleReason.LOW_CONFIDENCE)


def test_a_certain_request_is_kept_when_chance_wants_it() -> None:
    assert choose(SETTINGS, predictions(0.9, 0.9), rows=2, chance=0.09) == Choice(1, SampleReason.RANDOM)


def test_a_certain_request_is_not_kept_when_chance_does_not_want_it() -> None:
    assert choose(SETTINGS, predictions(0.9), rows=1, chance=0.1) is None


def test_a_confidence_at_the_limit_is_not_low() -> None:
    assert choose(SETTINGS, predictions(0.6), rows=1, chance=0.5) is None


def test_a_confidence_that_is_not_a_number_is_the_lowest_of_all() -> None:
    choice = choose(SETTINGS, predictions(0.1, math.nan), rows=2, chance=0.99)

    assert choice == Choice(1, SampleReason.LOW_CONFIDENCE)


def test_a_model_without_predictions_is_sampled_by_chance_only() -> None:
    assert choose(SETTINGS, (), rows=4, chance=0.0) == Choice(0, SampleReason.RANDOM)
    assert choose(SETTINGS, (), rows=4, chance=0.5) is None


@pytest.mark.parametrize(("chance", "row"), [(0.0, 0), (0.024, 0), (0.026, 1), (0.051, 2), (0.0999, 3)])
def test_every_row_has_the_same_chance(chance: float, row: int) -> None:
    assert choose(SETTINGS, (), rows=4, chance=chance) == Choice(row, SampleReason.RANDOM)


def test_a_share_of_zero_keeps_nothing_by_chance() -> None:
    settings = CollectionSettings(confidence_below=0.0, random_share=0.0)

    assert choose(settings, predictions(0.0), rows=1, chance=0.0) is None


def test_a_new_budget_has_half_an_hours_bytes() -> None:
    budget = ByteBudget(1000, now_s=0.0)

    assert budget.take(500, now_s=0.0)
    assert not budget.take(1, now_s=0.0)


def test_a_budget_fills_up_with_time() -> None:
    budget = ByteBudget(1000, now_s=0.0)
    budget.take(500, now_s=0.0)

    assert not budget.take(251, now_s=1800.0)
    assert budget.take(250, now_s=1800.0)


def test_a_refused_sample_costs_nothing() -> None:
    budget = ByteBudget(1000, now_s=0.0)

    assert not budget.take(501, now_s=0.0)
    assert budget.take(500, now_s=0.0)


def test_no_hour_holds_more_than_the_budget() -> None:
    budget = ByteBudget(1000, now_s=0.0)
    spent = [(float(now_s), 7) for now_s in range(0, 4 * 3600, 5) if budget.take(7, now_s=float(now_s))]

    for start in range(0, 3 * 3600, 60):
        assert sum(size for at_s, size in spent if start <= at_s < start + 3600) <= 1000
    assert sum(size for _, size in spent) > 2000


def test_changing_the_budget_gives_no_new_bytes() -> None:
    budget = ByteBudget(1000, now_s=0.0)
    budget.take(500, now_s=0.0)

    larger = budget.resized(100_000, now_s=0.0)

    assert not larger.take(1, now_s=0.0)
    assert larger.take(50_000, now_s=3600.0)


def test_a_smaller_budget_takes_back_what_exceeds_it() -> None:
    smaller = ByteBudget(1000, now_s=0.0).resized(100, now_s=0.0)

    assert not smaller.take(51, now_s=0.0)
    assert smaller.take(50, now_s=0.0)
