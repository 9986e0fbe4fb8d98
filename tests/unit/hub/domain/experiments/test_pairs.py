"""Two versions on the same nodes: each node is compared with itself."""

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.experiments import pairs as experiment_pairs
from ganglion.hub.domain.experiments.pairs import Pair
from ganglion.hub.domain.experiments.results import ArmWork, NodeWork, beside, results
from ganglion.testing.chance import SeededChance
from ganglion.wire.experiment_resources import ArmRequest, ExperimentRequest

REQUEST = ExperimentRequest(
    name="x", model="meter", control="1", arms=[ArmRequest("2")], mode="traffic", share=0.5, requests_min=500
)


def answers(requests: int, *, errors: int = 0, confidence: float = 0.9) -> Behaviour:
    behaviour = Behaviour(requests=errors, errors=errors)
    served = requests - errors
    behaviour.count_answers([1000] * served, ["7"] * served, [confidence] * served)
    return behaviour


def arms(nodes: list[tuple[int, int]], *, requests: int = 1000) -> tuple[ArmWork, ArmWork]:
    """Return both arms, with the errors of control and challenger on each node."""
    made = [
        [NodeWork("x86", {0: answers(requests, errors=pair[arm])}, str(node)) for node, pair in enumerate(nodes)]
        for arm in (0, 1)
    ]
    return ArmWork("1", 0.5, len(nodes), work=made[0]), ArmWork("2", 0.5, len(nodes), work=made[1])


def test_only_hours_in_which_both_worked_on_the_node_are_compared() -> None:
    pair = Pair("x86", {1: answers(100, errors=10)}, {0: answers(100, errors=90), 1: answers(100, errors=20)})

    (found,) = experiment_pairs.differences("error_rate", [pair])

    assert found.value == pytest.approx(-0.1)


def test_a_node_on_which_one_of_them_hardly_worked_is_left_out() -> None:
    pair = Pair("x86", {0: answers(3)}, {0: answers(100)})

    assert experiment_pairs.differences("error_rate", [pair]) == []
    assert experiment_pairs.agreement("x86", {0: Behaviour(compared=3, agreed=3)}) is None


def test_nodes_that_differ_much_and_alike_leave_a_narrow_interval() -> None:
    unlike = [(100 * node, 100 * node - 90) for node in range(1, 9)]

    (_, apart), (_, paired) = results(REQUEST, arms(unlike)), results(REQUEST, beside("traffic", *arms(unlike)))

    assert apart.metrics[0].finding == "open"
    assert paired.metrics[0].finding == "better"
    assert paired.metrics[0].difference == pytest.approx(-0.09)


def test_what_was_compared_is_moved_to_the_challenger_and_nothing_else_is() -> None:
    control, challenger = arms([(0, 0), (0, 0)])
    for node in control.work:
        for _ in range(50):
            node.hours[0].count_comparison(1, 1, 900)

    alone, moved = beside("traffic", control, challenger)

    assert (alone.total.compared, moved.total.compared, moved.total.agreed) == (0, 100, 100)
    assert (alone.total.requests, moved.total.requests) == (2000, 2000)
    assert control.total.compared == 100, "what was read is not changed"


def test_what_only_listens_is_known_from_the_controls_comparisons() -> None:
    control = answers(100)
    for _ in range(40):
        control.count_comparison(1, 1, 900)
        control.count_heard([0.7])

    heard = experiment_pairs.heard({0: control, 1: answers(10)})

    assert heard.keys() == {0}
    assert (heard[0].requests, heard[0].compared, sum(heard[0].confidence)) == (40, 40, 40)
    assert heard[0].latency_us.count == 40


def test_two_equal_versions_on_unlike_nodes_are_hardly_ever_told_apart() -> None:
    chance, wrong = SeededChance(1), 0

    for _ in range(60):
        rates = [0.02 + 0.2 * chance.share() for _ in range(8)]
        drawn = [(sum(chance.share() < rate for _ in range(300)), sum(chance.share() < rate for _ in range(300)))
                 for rate in rates]  # fmt: skip
        _, challenger = results(REQUEST, beside("traffic", *arms(drawn, requests=300)))
        wrong += challenger.metrics[0].finding in ("better", "worse")

    assert wrong <= 3
