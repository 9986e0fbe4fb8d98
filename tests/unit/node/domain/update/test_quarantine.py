"""When a version that takes its process down is not loaded any more."""

import pytest

from ganglion.node.domain.update.quarantine import WINDOW_S, Deaths

MANY = 3


def after(*deaths: tuple[float, tuple[str, ...]], deaths_max: int = MANY) -> Deaths[str]:
    tally: Deaths[str] = Deaths()
    for now_s, suspects in deaths:
        tally = tally.after(suspects, now_s=now_s, deaths_max=deaths_max)
    return tally


def test_a_version_is_quarantined_with_its_third_death() -> None:
    assert after((1, ("a",)), (2, ("a",))).quarantined == frozenset()
    assert after((1, ("a",)), (2, ("a",)), (3, ("a",))).quarantined == {"a"}


def test_deaths_that_are_an_hour_apart_are_no_loop() -> None:
    tally = after(*((number * WINDOW_S / 1.5, ("a",)) for number in range(20)))

    assert tally.quarantined == frozenset()


def test_each_version_that_ran_is_suspected_and_no_other_one() -> None:
    tally = after((1, ("a", "b")), (2, ("a",)), (3, ()), (4, ("a", "c")))

    assert tally.quarantined == {"a"}


def test_a_quarantined_version_stays_so() -> None:
    tally = after((1, ("a",)), (2, ("a",)), (3, ("a",)), (9 * WINDOW_S, ("b",)))

    assert tally.quarantined == {"a"}


@pytest.mark.parametrize("number", [1, 50])
def test_without_a_limit_nothing_is_quarantined(number: int) -> None:
    assert after(*((at_s, ("a",)) for at_s in range(number)), deaths_max=0).quarantined == frozenset()
