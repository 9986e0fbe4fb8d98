import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.core.predictions import Prediction
from ganglion.core.typicality import typicality
from ganglion.node.domain.sending.sample_reasons import SampleReason
from ganglion.node.domain.sending.sampling import (
    Answered,
    ByteBudget,
    Choice,
    CloserLook,
    choose,
    is_doubtful,
    requests_until_random,
)
from ganglion.wire.desired import CollectionSettings

SETTINGS = CollectionSettings(confidence_below=0.6, random_share=0.1)


def test_the_least_certain_row_below_the_limit_is_kept() -> None:
    choice = choose(SETTINGS, (0.9, 0.3, 0.5), rows=3, random_row=None)

    assert choice == Choice(1, SampleReason.LOW_CONFIDENCE)


def test_a_certain_request_is_kept_when_chance_wants_it() -> None:
    assert choose(SETTINGS, (0.9, 0.9), rows=2, random_row=0.9) == Choice(1, SampleReason.RANDOM)


def test_chance_keeps_doubtful_requests_as_often_as_others_or_its_samples_would_be_the_sure_ones_alone() -> None:
    assert choose(SETTINGS, (0.9, 0.1, 0.9), rows=3, random_row=0.9) == Choice(2, SampleReason.RANDOM)


def test_a_certain_request_is_not_kept_when_chance_does_not_want_it() -> None:
    assert choose(SETTINGS, (0.9,), rows=1, random_row=None) is None


def test_a_confidence_at_the_limit_is_not_low() -> None:
    assert choose(SETTINGS, (0.6,), rows=1, random_row=None) is None


def test_a_confidence_that_is_not_a_number_is_the_lowest_of_all() -> None:
    choice = choose(SETTINGS, (0.1, math.nan), rows=2, random_row=None)

    assert choice == Choice(1, SampleReason.LOW_CONFIDENCE)
    assert is_doubtful(SETTINGS, (0.9, math.nan))


def test_a_model_without_predictions_is_sampled_by_chance_only() -> None:
    assert choose(SETTINGS, (), rows=4, random_row=0.0) == Choice(0, SampleReason.RANDOM)
    assert choose(SETTINGS, (), rows=4, random_row=None) is None


@pytest.mark.parametrize(("random_row", "row"), [(0.0, 0), (0.24, 0), (0.26, 1), (0.51, 2), (0.999, 3)])
def test_every_row_has_the_same_chance(random_row: float, row: int) -> None:
    assert choose(SETTINGS, (), rows=4, random_row=random_row) == Choice(row, SampleReason.RANDOM)


def test_a_share_of_zero_keeps_nothing_by_chance_and_a_share_of_one_keeps_all() -> None:
    assert requests_until_random(0.0, 0.5) == math.inf
    assert requests_until_random(1.0, 0.999) == 0


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.9])
def test_gaps_between_random_samples_make_up_the_share(share: float) -> None:
    draws = 20_000
    gaps = [requests_until_random(share, (number + 0.5) / draws) for number in range(draws)]

    # Each sample comes with its gap: draws samples among draws + gaps requests.
    assert draws / (draws + sum(gaps)) == pytest.approx(share, rel=0.01)


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_a_gap_is_never_negative(share: float, chance: float) -> None:
    assert requests_until_random(share, chance) >= 0


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


SURE, TORN = Prediction("cat", 0.99, 0.98), Prediction("cat", 0.7, 0.1)
HELD_OUT = typicality(DriftReference(HistogramReference((0.0, 0.8, 1.0), (0, 99)), {"cat": 99}))


def answered(*predictions: Prediction) -> Answered:
    inputs = {"temperature": np.linspace(20.0, 90.0, max(1, len(predictions)), dtype=np.float32)[:, None]}
    return Answered(predictions, inputs, 300, HELD_OUT)


def test_no_answer_is_looked_at_closer_unless_somebody_wants_it() -> None:
    assert not CloserLook(CollectionSettings()).is_wanted
    assert CloserLook(CollectionSettings()).choose(answered(SURE, TORN)) is None


def test_the_first_row_whose_best_labels_are_close_together_is_kept() -> None:
    closer = CloserLook(CollectionSettings(margin_below=0.2))

    assert closer.is_wanted
    assert closer.choose(answered(SURE, TORN)) == Choice(1, SampleReason.SMALL_MARGIN)
    assert closer.choose(answered(SURE)) is None


def test_a_margin_that_is_no_number_is_the_smallest_of_all() -> None:
    closer = CloserLook(CollectionSettings(margin_below=0.2))

    assert closer.choose(answered(Prediction("cat", 0.9, math.nan))) == Choice(0, SampleReason.SMALL_MARGIN)


def test_an_answer_unlike_those_on_held_out_data_is_kept() -> None:
    closer = CloserLook(CollectionSettings(out_of_distribution_above=0.9))

    assert closer.choose(answered(SURE, TORN)) == Choice(1, SampleReason.OUT_OF_DISTRIBUTION)
    assert closer.choose(answered(Prediction("owl", 1.0, 1.0))) == Choice(0, SampleReason.OUT_OF_DISTRIBUTION)
    assert closer.choose(answered(SURE)) is None


def test_without_held_out_data_nothing_is_strange() -> None:
    closer = CloserLook(CollectionSettings(out_of_distribution_above=0.0))

    assert closer.choose(Answered((TORN,), {})) is None


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("label=cat and margin<0.5", 1),
        ("feed.temperature>80", 1),
        ("latency_us>=300", 0),
        ("out_of_distribution>0.9", 1),
        ("label=dog", None),
        ("feed.pressure>0", None),
    ],
)
def test_the_first_row_for_which_the_rule_holds_is_kept(rule: str, row: int | None) -> None:
    chosen = CloserLook(CollectionSettings(keep_when=rule)).choose(answered(SURE, TORN))

    assert chosen == (None if row is None else Choice(row, SampleReason.TRIGGER_RULE))


def test_a_rule_may_ask_about_the_input_of_a_model_without_predictions() -> None:
    closer = CloserLook(CollectionSettings(keep_when="feed.temperature<30"))

    assert closer.choose(answered()) == Choice(0, SampleReason.TRIGGER_RULE)


def test_a_rule_about_quality_waits_until_it_is_known() -> None:
    closer = CloserLook(CollectionSettings(keep_when="quality.sharpness<0.1 and confidence>0.9"))

    assert not closer.is_wanted
    assert closer.choose(answered(SURE)) is None
    assert closer.choose_by_rule(answered(SURE), {"sharpness": 0.01}) == Choice(0, SampleReason.TRIGGER_RULE)
    assert closer.choose_by_rule(answered(SURE), {"sharpness": 0.5}) is None


def test_a_rule_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        CloserLook(CollectionSettings(keep_when="confidence is low"))
