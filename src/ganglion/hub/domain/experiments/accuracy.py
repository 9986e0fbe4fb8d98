"""How often an arm is right: its answers on inputs that chance has kept and people have labelled.

Only inputs kept by chance count. Those that a node keeps for another reason are those of which the version was unsure,
and each version is unsure of others: their share of right answers says how a version doubts, not how often it is right.

The node is what is counted, as with every other metric: it was drawn into its arm, and the inputs of one camera
resemble each other. A node of which few inputs were labelled has a mean all the same, for the spread of the nodes'
means holds what few labels leave open. Nodes that look alike are no more exact than their labels: how often the arm is
wrong, from all of its labels with half an error more, is what each node's mean is taken to vary by (Krichevsky and
Trofimov 1981). The interval is that of the other metrics: Robbins' normal mixture, with Student's law for few nodes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ganglion.hub.domain.experiments.comparison import Estimate, Mean, difference

ACCURACY = "accuracy"
LABELS_MIN = 30
"""Labelled inputs of each arm before anything is said of a difference."""
LABELS_NEEDED_MAX = 10_000_000
ALIKE = 0.05
"""How much the inputs of one node are taken to resemble each other: a node counts for less than twenty labels. It
decides how nodes are weighed, and never how sure the result is."""


@dataclass(frozen=True, slots=True)
class Score:
    """How many labelled inputs there are, and on how many of them the answer was the label."""

    right: int
    labelled: int

    def __add__(self, other: "Score") -> "Score":
        """Return both together."""
        return Score(self.right + other.right, self.labelled + other.labelled)


NOTHING = Score(0, 0)


@dataclass(frozen=True, slots=True)
class NodeScores:
    """The labelled inputs that a version answered on one node, by hour since 1970."""

    node_class: str
    hours: Mapping[int, Score]

    def within(self, hours: set[int] | None) -> Score:
        """Return the sum over these hours; None: over all."""
        return sum((score for hour, score in self.hours.items() if hours is None or hour in hours), NOTHING)


def scored(nodes: Iterable[NodeScores]) -> Score:
    """Return the labelled inputs of many nodes together."""
    return sum((node.within(None) for node in nodes), NOTHING)


def means(nodes: Sequence[NodeScores], hours: set[int] | None = None) -> list[Mean]:
    """Return the share of right answers of each node that has labels in these hours; None: in any."""
    known = [(node.node_class, score) for node in nodes if (score := node.within(hours)).labelled]
    whole = sum((score for _, score in known), NOTHING)
    wrong = (whole.labelled - whole.right + 0.5) / (whole.labelled + 1.0)
    variance = wrong * (1.0 - wrong)
    return [
        Mean(name, score.right / score.labelled, variance / score.labelled, weight=_weight(score.labelled))
        for name, score in known
    ]


def labels_needed(
    new: Sequence[Mean], old: Sequence[Mean], labelled: int, chance: float, *, effect: float
) -> int | None:
    """Return the labels of both arms at which `effect` would be found, four times out of five, on the nodes of now.

    None: with no number of labels, because these nodes differ too much, or beyond what anybody labels.
    """
    found = difference(new, old)
    counted = difference([replace(mean, value=0.0) for mean in new], [replace(mean, value=0.0) for mean in old])
    if found is None or counted is None:
        return None
    by_labels = min(counted.error, found.error) ** 2
    by_nodes = found.error**2 - by_labels
    labels = labelled
    while labels <= LABELS_NEEDED_MAX:
        error = math.sqrt(by_nodes + by_labels * labelled / labels)
        if Estimate(found.value, error, found.freedom).detectable(chance, scale=effect) <= effect:
            return labels
        labels = math.ceil(labels * 1.02) + 1
    return None


def _weight(labelled: int) -> float:
    """Return what a node's mean is worth. Source: Kish (1965), "Survey Sampling": the design effect of clusters."""
    return labelled / (1.0 + ALIKE * (labelled - 1))
