"""How much nodes differ that run one and the same version, learned from the controls.

A node is a cluster of rows: a camera that looks at something hard gives hard rows, all of them. Without this, a stage
of three such nodes would be taken for a bad version, the more surely the longer one looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul, truediv
from statistics import fmean

NODES_TO_LEARN_FROM = 5
"""With fewer nodes beyond the first of each group nothing is known of how nodes differ, and …"""
UNKNOWN_DESIGN_EFFECT = 4.0
"""… every row is taken for a quarter of one."""

Counts = Sequence[int]


@dataclass(frozen=True, slots=True)
class Spread:
    """How nodes with one version differ."""

    alike: float
    """The correlation of rows of one node."""
    nodes: int
    """Nodes beyond the first of each group: the degrees of freedom of what was learned."""
    directions: float
    """In how many directions they differ: a darker camera moves all bins of confidence together."""


def column_sums(all_counts: Iterable[Counts]) -> list[int]:
    """Return the sum of counts over the same bins."""
    return [sum(column) for column in zip(*all_counts, strict=True)]


def learned(groups: Iterable[Sequence[Counts]]) -> Spread | None:
    """Learn from groups of nodes, each node given by its counts. None: too few nodes.

    Pearson's chi-squared of homogeneity over its degrees of freedom is the design effect, and that is
    1 + (rows per node - 1) x correlation. How much the distances of single nodes vary says in how many directions.
    Source: Rao and Scott (1981), chi-squared tests for data from clusters; Satterthwaite (1946) for the directions.
    """
    distances: list[float] = []
    rows: list[int] = []
    beyond_first, freedom = 0, 1
    for members in groups:
        whole = column_sums(members)
        freedom = max(freedom, sum(count > 0 for count in whole) - 1)
        rows += map(sum, members)
        if len(members) > 1:
            distances += _distances(members, whole)
            beyond_first += len(members) - 1
    if beyond_first < NODES_TO_LEARN_FROM:
        return None
    per_node = rows_per_node(rows)
    effect = sum(distances) / (beyond_first * freedom)
    alike = min(1.0, max(0.0, (effect - 1.0) / (per_node - 1.0))) if per_node > 1.0 else 0.0
    middle = fmean(distances)
    varied = sum((distance - middle) ** 2 for distance in distances) / (len(distances) - 1)
    directions = 2.0 * middle**2 / varied if varied > 0.0 else float(freedom)
    return Spread(alike, beyond_first, min(float(freedom), max(1.0, directions)))


def mixed(near: Spread | None, far: Spread | None, nearby: float) -> Spread | None:
    """Return what holds when a share `nearby` of the rows has controls of its own place, and the rest has not."""
    if near is None or far is None:
        return near or far
    alike = nearby * near.alike + (1.0 - nearby) * far.alike
    return Spread(alike, min(near.nodes, far.nodes), min(near.directions, far.directions))


def design_effect(spread: Spread | None, rows: Mapping[str, int]) -> float:
    """Return by how much these rows, counted by node, know less than rows that have nothing to do with each other."""
    if spread is None:
        return UNKNOWN_DESIGN_EFFECT
    return 1.0 + (rows_per_node([*rows.values()]) - 1.0) * spread.alike


def rows_per_node(rows: Sequence[int]) -> float:
    """Return the mean over rows of how many rows their node has."""
    squares: int = sum(map(mul, rows, rows))
    return squares / sum(rows)


def _distances(members: Sequence[Counts], whole: Counts) -> list[float]:
    """Return each node's part of Pearson's chi-squared: sum (seen - expected)^2 / expected."""
    filled = [index for index, count in enumerate(whole) if count]
    wholes, total = [whole[index] for index in filled], sum(whole)
    distances = []
    for member in members:
        seen = [member[index] for index in filled]
        rows = sum(seen)
        distances.append(sum(map(truediv, map(mul, seen, seen), wholes)) * total / rows - rows)
    return distances
