"""Accuracy from labels: what counts, how nodes are weighed, how often an interval is wrong, and what it takes."""

from dataclasses import replace

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.experiments.accuracy import LABELS_MIN, NodeScores, Score, labels_needed, means, scored
from ganglion.hub.domain.experiments.comparison import difference, middle
from ganglion.hub.domain.experiments.results import ArmWork, NodeWork, results
from ganglion.testing.chance import SeededChance
from ganglion.wire.experiment_resources import ArmRequest, ExperimentRequest, MetricResult

CLASS, CHANCE, EFFECT = "x86_64-4", 0.05, 0.02
REQUEST = ExperimentRequest(name="two-or-one", model="meter", control="1", arms=[ArmRequest("2")], metric="accuracy")
HOUR = 7


def nodes(*scores: tuple[int, int], hour: int = HOUR) -> list[NodeScores]:
    """Return a node for each pair of right and labelled answers."""
    return [NodeScores(CLASS, {hour: Score(*score)}) for score in scores]


def arm(version: str, scores: list[NodeScores], *, hours: tuple[int, ...] = (HOUR,)) -> ArmWork:
    """Return an arm whose nodes have answered in these hours."""
    work = [NodeWork(CLASS, {hour: Behaviour(requests=10) for hour in hours})]
    return ArmWork(version=version, share=0.5, nodes=len(scores), work=work, scores=scores)


def accuracy(control: ArmWork, challenger: ArmWork) -> list[MetricResult]:
    """Return what is said of the accuracy of each arm."""
    return [
        each for found in results(REQUEST, [control, challenger]) for each in found.metrics if each.metric == "accuracy"
    ]


def test_each_node_with_a_label_has_a_mean_and_one_without_has_none() -> None:
    found = means([*nodes((3, 4), (1, 1)), NodeScores(CLASS, {})])

    assert [mean.value for mean in found] == [0.75, 1.0]


def test_a_node_weighs_more_with_more_labels_and_never_more_than_twenty_labels() -> None:
    one, ten, many = (mean.weight for mean in means(nodes((1, 1), (9, 10), (9000, 10_000))))

    assert one == pytest.approx(1.0)
    assert one < ten < many < 20.0


def test_labels_of_hours_in_which_only_one_arm_answered_do_not_count_for_a_difference() -> None:
    night = nodes((0, 40), (0, 40), hour=HOUR + 1)
    control = arm("1", [*nodes((36, 40), (36, 40), (37, 40)), *night], hours=(HOUR, HOUR + 1))
    challenger = arm("2", nodes((36, 40), (35, 40), (37, 40)))

    _, found = accuracy(control, challenger)

    assert found.difference is not None
    assert abs(found.difference) < 0.02


def test_a_much_better_challenger_is_found_and_the_counts_are_told() -> None:
    control = arm("1", nodes(*[(20, 40)] * 6))
    challenger = arm("2", nodes(*[(38, 40)] * 6))

    old, new = accuracy(control, challenger)

    assert (new.finding, new.right, new.labelled) == ("better", 228, 240)
    assert (old.finding, old.right, old.labelled, old.labels_needed) == ("", 120, 240, None)


def test_right_as_often_is_open_with_the_labels_that_would_tell() -> None:
    _, new = accuracy(arm("1", nodes(*[(36, 40)] * 12)), arm("2", nodes(*[(36, 40)] * 12)))

    assert new.finding == "open"
    assert new.labels_needed is not None
    assert new.labels_needed > 24 * 40


def test_below_the_smallest_number_of_labels_nothing_is_said() -> None:
    each = LABELS_MIN // 3 - 1

    _, new = accuracy(arm("1", nodes(*[(0, each)] * 3)), arm("2", nodes(*[(each, each)] * 3)))

    assert (new.finding, new.difference) == ("too_early", None)
    assert new.labelled == 3 * each


def test_without_labels_an_arm_has_no_accuracy() -> None:
    assert accuracy(arm("1", []), arm("2", [])) == []


def test_nodes_that_were_never_wrong_are_not_taken_to_be_so_for_ever() -> None:
    _, new = accuracy(arm("1", nodes(*[(10, 10)] * 4)), arm("2", nodes(*[(10, 10)] * 4)))

    assert new.low is not None
    assert new.low < 0.95
    assert new.finding == "open"


def test_the_labels_needed_are_enough_on_the_same_nodes() -> None:
    new, old = nodes(*[(36, 40)] * 12), nodes(*[(37, 40)] * 12)

    needed = labels_needed(means(new), means(old), 960, CHANCE, effect=EFFECT)

    assert needed is not None
    times = -(-needed // 960)
    more = [[NodeScores(CLASS, {HOUR: Score(each.right * times, each.labelled * times)}) for each in side]
            for side in ([node.within(None) for node in new], [node.within(None) for node in old])]  # fmt: skip
    found = difference(means(more[0]), means(more[1]))
    assert found is not None
    assert found.detectable(CHANCE, scale=EFFECT) <= EFFECT


def test_no_number_of_labels_is_enough_where_the_nodes_themselves_differ_too_much() -> None:
    wide = means(nodes((10, 100), (95, 100), (40, 100)))

    assert labels_needed(wide, wide, 600, CHANCE, effect=EFFECT) is None
    assert labels_needed(means(nodes((1, 1))), means(nodes((1, 1))), 2, CHANCE, effect=EFFECT) is None


def test_looking_after_every_few_labels_finds_what_is_not_there_no_more_often_than_allowed() -> None:
    chance, worlds = SeededChance(11), 100

    wrong = sum(is_found(LabelledFleet(chance, (0.95, 0.95))) for _ in range(worlds))

    assert wrong / worlds <= CHANCE


def test_a_large_difference_is_found_in_the_end() -> None:
    chance, worlds = SeededChance(12), 20

    found = sum(is_found(LabelledFleet(chance, (0.95, 0.8))) for _ in range(worlds))

    assert found == worlds


class LabelledFleet:
    """Two arms of eight nodes, which are right with their own chance and are labelled at their own pace."""

    def __init__(self, chance: SeededChance, rights: tuple[float, float]) -> None:
        self._chance = chance
        self._natures = [[(right + (chance.share() - 0.5) * 0.06, 1 + int(chance.share() * 9)) for _ in range(8)]
                         for right in rights]  # fmt: skip
        self.arms = [nodes(*[(0, 0)] * 8) for _ in rights]

    def label(self) -> None:
        """Let people label some inputs of every node."""
        self.arms = [
            [self._labelled(node, *nature) for node, nature in zip(side, natures, strict=True)]
            for side, natures in zip(self.arms, self._natures, strict=True)
        ]

    def _labelled(self, node: NodeScores, right: float, labels: int) -> NodeScores:
        more = Score(sum(self._chance.share() < right for _ in range(labels)), labels)
        return replace(node, hours={HOUR: node.within(None) + more})


def is_found(fleet: LabelledFleet) -> bool:
    """Say whether a difference is found at one of 25 looks."""
    for _ in range(25):
        fleet.label()
        old, new = (means(side) for side in fleet.arms)
        found = difference(new, old)
        enough = min(scored(side).labelled for side in fleet.arms) >= LABELS_MIN
        if enough and found and abs(found.value) > found.half_width(CHANCE, scale=EFFECT):
            return True
    return False


def test_the_shown_mean_is_that_of_the_nodes_by_their_weights() -> None:
    scores = nodes((0, 1), (40, 40))

    old, _ = accuracy(arm("1", scores), arm("2", scores))

    assert old.mean == pytest.approx(middle(means(scores)))
    assert old.mean > 0.9
