"""Do the new version's answers look like the old one's? Two sides of work, compared like with like.

The stage's rows are compared with what the old version would have shown in their place: for every class, site and hour
its own controls, weighted as the stage's rows are. How much nodes with one and the same version differ from each
other is learned from the controls (`node_spread`): a few nodes with hard inputs are not taken for a bad version.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ganglion.core import drift, sequential
from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import node_spread
from ganglion.hub.domain.gate.evidence import Work
from ganglion.hub.domain.gate.node_spread import Counts, Spread, column_sums, design_effect

CELL_ROWS_MIN = 100
"""Rows of the old version before its share in a class, site and hour is believed; otherwise the class and hour speak,
and then the class."""
_SCALE = 0.1
_POWER_MAX = 50.0
_BINS_MIN = 2
_ANY_HOUR = -1

Key = tuple[str, str, int]
"""Class, site and hour."""
Pick = Callable[[Behaviour], Counts]
"""Returns the histogram that is compared, always over the same bins."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far two distributions are apart, and how far chance would bring them at any look."""

    psi: float
    chance: float
    """A distance that chance does not bring about, when rows of a node are as alike as they are on the average."""
    sure: float
    """The same when nodes differ as those with one version do, in which directions ever; infinite when unknown."""
    rows: int
    controls: int
    """Rows of the old version that were compared with."""
    new_share: Sequence[float]
    old_share: Sequence[float]
    error: float
    """Variance of the difference of two shares, over share x (1 - share): with independent rows 1/n + 1/m."""
    can_prove: bool
    """There are enough nodes to tell the version from the choice of the nodes that have it."""
    nodes: int
    """Nodes beyond the first of each group from which it was learned how nodes differ; 0: it was assumed."""

    def is_beyond(self, floor: float) -> bool:
        """Say whether the distance is beyond chance and large enough to matter."""
        return self.psi > max(floor, self.chance)

    def is_proved(self, floor: float) -> bool:
        """Say whether it is beyond what nodes with one and the same version show of each other, too."""
        return self.can_prove and self.psi > max(floor, self.chance, self.sure)


@dataclass(slots=True)
class _Unit:
    """One node's rows of one hour, with the cells in which controls are looked for, the closest first."""

    node: str
    cells: tuple[Key, ...]
    counts: Counts
    rows: int


def between(
    new: Iterable[Work], old: Iterable[Work], pick: Pick, *, alpha: float, rows_min: int = CELL_ROWS_MIN
) -> Likeness | None:
    """Compare the stage with its controls, by class, site and hour. None: fewer than `rows_min` rows on a side."""
    return _compare(_units(new, pick, _like_places), _units(old, pick, _like_places), alpha, rows_min)


def with_itself(new: Iterable[Work], before: Iterable[Work], pick: Pick) -> Likeness | None:
    """Compare each node with what the version before did there. None: that covers less than half of the rows."""
    units = _units(new, pick, _same_node)
    compared = _compare(units, _units(before, pick, _same_node), 0.5, CELL_ROWS_MIN)
    return compared if compared and 2 * compared.rows >= sum(unit.rows for unit in units) else None


def confidence_of(behaviour: Behaviour) -> Counts:
    """Return the rows by confidence."""
    return behaviour.confidence


def classes_of(*sides: Iterable[Work]) -> Pick:
    """Return what picks the rows by predicted label, over all labels that occur."""
    labels = sorted({label for side in sides for work in side for label in work.behaviour.classes})
    return lambda behaviour: [behaviour.classes.get(label, 0) for label in labels]


def quality_of(measure: str, *sides: Iterable[Work]) -> Pick:
    """Return what picks one measure of the inputs' quality."""
    bins = max((len(work.behaviour.quality.get(measure, ())) for side in sides for work in side), default=0)
    return lambda behaviour: [*behaviour.quality.get(measure, ()), *[0] * bins][:bins]


def mean_bin(share: Sequence[float]) -> float:
    """Return the mean of a distribution over numbered bins, in bins."""
    return sum(index * part for index, part in enumerate(share))


def _like_places(work: Work, hour: int) -> tuple[Key, ...]:
    return (work.node_class, work.site, hour), (work.node_class, "", hour), (work.node_class, "", _ANY_HOUR)


def _same_node(work: Work, _hour: int) -> tuple[Key, ...]:
    return (("", work.name, _ANY_HOUR),)


def _units(works: Iterable[Work], pick: Pick, cells: Callable[[Work, int], tuple[Key, ...]]) -> list[_Unit]:
    units = []
    for work in works:
        for hour, behaviour in work.by_hour().items():
            counts = pick(behaviour)
            rows = sum(counts)
            if rows:
                units.append(_Unit(work.name, cells(work, hour), counts, rows))
    return units


def _compare(new: Sequence[_Unit], old: Sequence[_Unit], alpha: float, rows_min: int) -> Likeness | None:
    totals = _totals(old)
    sizes = {cell: sum(total) for cell, total in totals.items()}
    placed: list[tuple[_Unit, Key]] = []
    for unit in new:
        cell = next((cell for cell in unit.cells if sizes.get(cell, 0) >= rows_min), None)
        if cell is not None:
            placed.append((unit, cell))
    units = [unit for unit, _ in placed]
    rows = sum(unit.rows for unit in units)
    if rows < max(1, rows_min):
        return None
    weights = _weights(placed, rows)
    new_share = [count / rows for count in column_sums(unit.counts for unit in units)]
    old_share = _mixture(weights, totals, sizes)
    bins = sum(new > 0 or old > 0 for new, old in zip(new_share, old_share, strict=True))
    if bins < _BINS_MIN:
        return None
    controls = 1.0 / sum(weight**2 / sizes[cell] for cell, weight in weights.items())
    nearby = sum(unit.rows for unit, cell in placed if cell == unit.cells[0]) / rows
    spread = _spread(old, nearby)
    error = design_effect(spread, _by_node(units)) / rows + design_effect(spread, _by_node(old)) / controls
    pairs = [(old * controls, new * rows) for new, old in zip(new_share, old_share, strict=True) if new > 0 or old > 0]
    return Likeness(
        psi=drift.stability_index(pairs, bins=bins),
        chance=sequential.shift_boundary(1.0 / error, bins - 1, alpha, scale=_SCALE),
        sure=_sure(spread, error, bins - 1, alpha) if spread else math.inf,
        rows=rows,
        controls=round(controls),
        new_share=new_share,
        old_share=old_share,
        error=error,
        can_prove=spread is not None and _choices_log(placed, old) >= -math.log(alpha),
        nodes=spread.nodes if spread else 0,
    )


def _sure(spread: Spread, error: float, freedom: int, alpha: float) -> float:
    """Return the boundary for nodes that differ in fewer directions than there are bins, learned from few of them.

    Source: Wallace (1959) turns Student's law into the normal one; the same, backwards, for its square.
    """
    directions = min(spread.directions, float(freedom))
    information = directions / (freedom * error)
    boundary = sequential.shift_boundary(information, directions, alpha, scale=_SCALE) * information
    power = boundary / spread.nodes
    return spread.nodes * math.expm1(power) / information if power < _POWER_MAX else math.inf


def _choices_log(placed: Iterable[tuple[_Unit, Key]], old: Iterable[_Unit]) -> float:
    """Return the logarithm of how many ways there were to choose the stage's nodes from all that are compared.

    The stage's nodes were drawn, and another draw might have chosen the same strange ones for an old version. So chance
    brings about any difference between nodes at least once in so many rollouts, whatever law they follow.
    Source: Fisher (1935), "The Design of Experiments", the randomisation test.
    """
    chosen: dict[tuple[str, str], set[str]] = {}
    for unit, (node_class, site, _) in placed:
        chosen.setdefault((node_class, site), set()).add(unit.node)
    there: dict[tuple[str, str], set[str]] = {}
    for unit in old:
        for node_class, site, _ in unit.cells:
            there.setdefault((node_class, site), set()).add(unit.node)
    return math.fsum(
        math.log(math.comb(len(nodes) + len(there.get(place, ())), len(nodes))) for place, nodes in chosen.items()
    )


def _totals(units: Iterable[_Unit]) -> dict[Key, list[int]]:
    """Return the counts of every cell; a cell with a site is a part of the one without."""
    members: dict[Key, list[Counts]] = {}
    for unit in units:
        for cell in unit.cells:
            members.setdefault(cell, []).append(unit.counts)
    return {cell: column_sums(counts) for cell, counts in members.items()}


def _weights(placed: Iterable[tuple[_Unit, Key]], rows: int) -> dict[Key, float]:
    weights: dict[Key, float] = {}
    for unit, cell in placed:
        weights[cell] = weights.get(cell, 0.0) + unit.rows / rows
    return weights


def _mixture(
    weights: Mapping[Key, float], totals: Mapping[Key, Sequence[int]], sizes: Mapping[Key, int]
) -> list[float]:
    parts = [[weight / sizes[cell] * count for count in totals[cell]] for cell, weight in weights.items()]
    return [sum(column) for column in zip(*parts, strict=True)]


def _spread(units: Sequence[_Unit], nearby: float) -> Spread | None:
    """Learn from nodes of one place as far as the rows have controls there, from those of one class for the rest."""
    near = node_spread.learned(_groups(units, 0)) if nearby > 0.0 else None
    is_far_needed = near is None or nearby < 1.0
    far = node_spread.learned(_groups(units, -1)) if is_far_needed else None
    return node_spread.mixed(near, far, nearby)


def _groups(units: Sequence[_Unit], level: int) -> list[list[Counts]]:
    """Return the counts of each node over all hours, in groups of one class and site, or of one class."""
    nodes: dict[tuple[str, str], dict[str, list[Counts]]] = {}
    for unit in units:
        group = unit.cells[level][:2]
        nodes.setdefault(group, {}).setdefault(unit.node, []).append(unit.counts)
    return [[_one(counts) for counts in members.values()] for members in nodes.values()]


def _one(counts: Sequence[Counts]) -> Counts:
    return counts[0] if len(counts) == 1 else column_sums(counts)


def _by_node(units: Iterable[_Unit]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for unit in units:
        rows[unit.node] = rows.get(unit.node, 0) + unit.rows
    return rows
