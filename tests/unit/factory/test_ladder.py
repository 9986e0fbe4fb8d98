from dataclasses import replace

import pytest

from ganglion.factory.domain.ladder import Attempt, LadderSettings, choose
from unit.factory.builders import an_attempt

BASELINE = an_attempt("fp32", speed_ratio=1.0)
SETTINGS = LadderSettings(accuracy_loss_max=0.02)


def test_a_faster_variant_within_the_budget_is_kept_and_says_why() -> None:
    choice = choose(BASELINE, [an_attempt(speed_ratio=1.5)], SETTINGS)

    assert choice.variant == "int8"
    assert "1.50 times" in choice.reason


@pytest.mark.parametrize(("won", "lost", "told"), [(7, 0, "+0.70%"), (0, 7, "-0.70%"), (3, 3, "+0.00%")])
def test_a_gain_of_accuracy_is_not_told_as_a_negative_loss(won: int, lost: int, told: str) -> None:
    choice = choose(BASELINE, [an_attempt(won=won, lost=lost)], SETTINGS)

    assert choice.reason.startswith(f"accuracy {told}, a loss of at most ")


def test_a_slower_variant_is_not_kept_however_accurate() -> None:
    choice = choose(BASELINE, [an_attempt(won=50, speed_ratio=0.76)], SETTINGS)

    assert choice.variant == "fp32"
    assert "0.76" in choice.reason


def test_a_variant_over_the_accuracy_budget_is_not_kept_however_fast() -> None:
    choice = choose(BASELINE, [an_attempt(lost=30, speed_ratio=9.0)], SETTINGS)

    assert choice.variant == "fp32"
    assert "budget" in choice.reason


def test_the_bound_decides_and_not_the_loss_that_was_seen() -> None:
    shaky = an_attempt(lost=160, won=160)

    choice = choose(BASELINE, [shaky], SETTINGS)

    assert shaky.comparison is not None
    assert shaky.comparison.loss == 0.0
    assert choice.variant == "fp32"


def test_of_several_fitting_variants_the_fastest_is_taken() -> None:
    choice = choose(BASELINE, [an_attempt("a", speed_ratio=1.2), an_attempt("b", speed_ratio=1.9)], SETTINGS)

    assert choice.variant == "b"


def test_a_variant_that_could_not_be_built_stands_in_the_report_with_its_failure() -> None:
    choice = choose(BASELINE, [Attempt("int8", failure="no such op")], SETTINGS)

    assert choice.variant == "fp32"
    assert [(rung.attempt.variant, rung.fits, rung.reason) for rung in choice.rungs] == [
        ("fp32", True, "the baseline"),
        ("int8", False, "no such op"),
    ]


def test_a_variant_that_was_not_evaluated_is_not_kept() -> None:
    assert choose(BASELINE, [replace(an_attempt(), comparison=None)], SETTINGS).variant == "fp32"


def test_without_attempts_the_baseline_is_the_version() -> None:
    assert choose(BASELINE, [], SETTINGS).variant == "fp32"


@pytest.mark.parametrize(("speed_ratio", "variant"), [(1.0, "int8"), (0.999, "fp32")])
def test_as_fast_as_the_baseline_is_not_slower(speed_ratio: float, variant: str) -> None:
    assert choose(BASELINE, [an_attempt(speed_ratio=speed_ratio)], SETTINGS).variant == variant
