"""Intervals on differences between two sets of nodes."""

import math

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.experiments.comparison import Estimate, Mean, arm_mean, difference, mean_of, nodes_needed
from ganglion.testing.chance import SeededChance

CHANCE, EFFECT = 0.05, 0.1


def means(*values: float, node_class: str = "x86_64-4") -> list[Mean]:
    return [Mean(node_class, value, 0.0) for value in values]


def answers(requests: int, *, errors: int = 0) -> Behaviour:
    behaviour = Behaviour()
    for _ in range(errors):
        behaviour.count_error()
    for _ in range(requests - errors):
        behaviour.count_answer(1000, ["7"], [0.9])
    return behaviour


def test_the_difference_is_that_of_the_nodes_means_whatever_each_answered() -> None:
    found = difference(means(1.0, 2.0), means(4.0, 5.0))

    assert found is not None
    assert found.value == pytest.approx(-3.0)
    assert found.freedom == 2


def test_nodes_are_compared_with_those_of_their_class_alone() -> None:
    new = means(1.0, 1.2) + means(101.0, 101.2, node_class="aarch64-4")
    old = means(1.1, 1.3) + means(101.1, 101.3, node_class="aarch64-4") + means(5.0, node_class="armv7-1")

    found = difference(new, old)

    assert found is not None
    assert found.value == pytest.approx(-0.1)
    assert found.error < 0.2


def test_one_node_on_each_side_says_nothing_of_how_nodes_vary() -> None:
    assert difference(means(1.0), means(2.0)) is None
    assert difference([], means(2.0, 3.0)) is None
    assert arm_mean(means(1.0)) is None


def test_nodes_that_look_alike_are_no_more_exact_than_their_counts() -> None:
    clean = mean_of("error_rate", "x86_64-4", answers(100))
    assert clean is not None

    found = difference([clean, clean], [clean, clean])

    assert found is not None
    assert found.value == 0.0
    assert found.error > 0.004


def test_a_node_that_answered_next_to_nothing_has_no_mean() -> None:
    for metric in ("error_rate", "confidence", "latency"):
        assert mean_of(metric, "x86_64-4", answers(10)) is None
        assert mean_of(metric, "x86_64-4", Behaviour()) is None


def test_latency_is_compared_by_its_logarithm() -> None:
    found = mean_of("latency", "x86_64-4", answers(100))

    assert found is not None
    assert math.exp(found.value) == pytest.approx(1000, rel=0.02)


def test_few_nodes_make_a_wide_interval_and_many_a_narrow_one() -> None:
    widths = [Estimate(0.0, 0.1, freedom).half_width(CHANCE, scale=EFFECT) for freedom in (1, 4, 50)]

    assert widths == sorted(widths, reverse=True)
    assert math.isinf(Estimate(0.0, 1e-3, 1).half_width(1e-300, scale=1e-9))


def test_the_nodes_needed_are_enough_and_hardly_more() -> None:
    now = Estimate(0.0, 0.1, 18)

    needed = nodes_needed(now, 20, CHANCE, effect=EFFECT)

    assert needed is not None
    for nodes, is_enough in ((needed, True), (int(needed * 0.95), False)):
        then = Estimate(0.0, 0.1 * math.sqrt(20 / nodes), nodes - 2)
        assert (then.detectable(CHANCE, scale=EFFECT) <= EFFECT) is is_enough
    assert nodes_needed(now, 20, CHANCE, effect=1e-9) is None


def test_looking_at_every_step_finds_a_difference_that_is_not_there_no_more_often_than_allowed() -> None:
    chance, wrong, worlds = SeededChance(7), 0, 300

    for _ in range(worlds):
        new, old = (nodes_drawn(chance, 0.0) for _ in range(2))
        wrong += any(is_found(new, old, looks) for looks in range(2, 40, 3))

    assert wrong / worlds <= CHANCE


def test_a_difference_that_is_there_is_found_in_the_end() -> None:
    chance = SeededChance(8)

    found = sum(is_found(nodes_drawn(chance, 0.5), nodes_drawn(chance, 0.0), 40) for _ in range(50))

    assert found == 50


def nodes_drawn(chance: SeededChance, effect: float) -> list[tuple[float, list[float]]]:
    """Return 12 nodes: how each is by nature, and what is seen of it at each of 40 looks."""
    return [(effect + noise(chance, 0.1), [noise(chance, 0.5) for _ in range(40)]) for _ in range(12)]


def noise(chance: SeededChance, deviation: float) -> float:
    """Draw from nearly a normal distribution. Source: sum of twelve uniform draws, variance 1."""
    return deviation * (sum(chance.share() for _ in range(12)) - 6.0)


def is_found(new: list[tuple[float, list[float]]], old: list[tuple[float, list[float]]], looks: int) -> bool:
    def seen(nodes: list[tuple[float, list[float]]]) -> list[Mean]:
        return means(*(nature + sum(drawn[:looks]) / looks for nature, drawn in nodes))

    found = difference(seen(new), seen(old))
    assert found is not None
    return abs(found.value) > found.half_width(CHANCE, scale=EFFECT)
