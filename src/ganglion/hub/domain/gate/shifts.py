"""How confidence and predicted classes moved in one place, and whether the inputs explain it. No verdict."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ganglion.core import sequential
from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.hub.domain.gate import likeness
from ganglion.hub.domain.gate.evidence import NodeEvidence, Work
from ganglion.hub.domain.gate.findings import Doubt
from ganglion.hub.domain.gate.likeness import Likeness
from ganglion.wire.rollout_resources import GateSettings

QUALITY_FLOOR = 0.1
"""Inputs whose quality is closer than this are alike."""
QUALITY_ROWS_MIN = 50
"""Inputs of a node that were looked at, before it is left out for their quality."""
IN_DOUBT_BINS = 14
"""Rows in these lowest of the twenty bins of confidence are in doubt: below 0.7."""
_SCALES = (0.02, 0.08, 0.32)
"""Shares of rows: a rise of two points beyond the limit is to be found soonest. Where nodes are unlike, so little is
never found, and the evidence of one scale alone would not see that half of the answers are in doubt."""
_NODES = 5
"""Where it is not known how nodes differ, the error is trusted as little as if so many had been seen."""
_IN_DOUBT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How one distribution moved."""

    rule: str
    text: str
    figure: float
    limit: float
    distance: Likeness
    is_shifted: bool
    """Beyond chance and the limit; and on the stage's own nodes too, where their hour before is known."""
    is_proved: bool
    """Beyond what nodes with one and the same version show of each other, too."""
    is_lower: bool = False
    """Less sure than before."""
    is_confidence: bool = False
    agreement_max: float = 1.0
    """Two versions whose classes are mixed so differently can at most agree on this share of like inputs."""

    @property
    def is_worse(self) -> bool:
        """Say whether it moved for the worse, if it moved: to be surer is no fault."""
        return self.is_lower or not self.is_confidence


@dataclass(frozen=True, slots=True)
class Shifts:
    """Everything that moved in one place."""

    scope: str = ""
    found: tuple[Shift, ...] = ()
    inputs: str = ""
    """How the inputs differ from the controls' in quality, in words; empty when they do not, or nobody looked."""
    left_out: int = 0
    """Nodes that were not compared because their inputs are unlike the controls'."""

    @property
    def is_measured(self) -> bool:
        """Say whether there were enough rows."""
        return bool(self.found)

    @property
    def is_doubtful(self) -> bool:
        """Say whether the version is less sure of itself than the old one, by what nodes with one version show."""
        return any(shift.is_lower and shift.is_proved for shift in self._blamed())

    @property
    def is_unlike(self) -> bool:
        """Say whether something moved for the worse: a version that is only surer of itself is not unlike."""
        return any(shift.is_worse for shift in self._blamed())

    @property
    def is_surely_unlike(self) -> bool:
        """Say whether that is beyond what nodes with one and the same version show of each other, too."""
        return any(shift.is_worse and shift.is_proved for shift in self._blamed())

    def is_apart(self, agreement_min: float) -> bool:
        """Say whether the classes are mixed so differently that the versions cannot agree as often as they must."""
        return any(shift.is_proved and shift.agreement_max < agreement_min for shift in self._blamed())

    def _blamed(self) -> list[Shift]:
        return [] if self.inputs else [shift for shift in self.found if shift.is_shifted]


def measured(
    settings: GateSettings, scope: str, nodes: Sequence[NodeEvidence], controls: Sequence[Work], doubt: Doubt
) -> Shifts:
    """Compare nodes that have the new version with controls.

    Nodes whose inputs are unlike the controls' are left out; if the rest's are unlike, too, nobody is blamed.
    """
    nodes = [node for node in nodes if node.behaviour.requests]
    inputs, left_out = _inputs([node.work for node in nodes], controls, doubt), 0
    if inputs:
        alike = [node for node in nodes if not _has_other_inputs(node, controls, doubt)]
        left_out = len(nodes) - len(alike)
        if alike and left_out and not _inputs([node.work for node in alike], controls, doubt):
            nodes, inputs = alike, ""
    pair = _Pair([node.work for node in nodes], [node.work_before for node in nodes], controls, doubt)
    found = (
        pair.confidence(settings.shift_psi_max),
        pair.in_doubt(settings.doubt_rise_max),
        pair.class_mix(settings.shift_psi_max),
    )
    return Shifts(scope, tuple(shift for shift in found if shift is not None), inputs, left_out)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both sides of a comparison."""

    new: Sequence[Work]
    before: Sequence[Work]
    controls: Sequence[Work]
    doubt: Doubt

    def confidence(self, floor: float) -> Shift | None:
        distance = likeness.between(self.new, self.controls, likeness.confidence_of, alpha=self.doubt.alpha)
        if distance is None:
            return None
        is_lower, is_shifted = _is_lower(distance), distance.is_beyond(floor)
        before = likeness.with_itself(self.new, self.before, likeness.confidence_of) if is_shifted else None
        if before is not None:
            is_shifted = before.psi > floor and _is_lower(before) is is_lower
        new, old = (_mean(share) for share in (distance.new_share, distance.old_share))
        return Shift(
            rule="confidence shift",
            text=_psi_told("confidence", distance, floor, f", mean {old:.3f} to {new:.3f}"),
            figure=distance.psi,
            limit=max(floor, distance.chance),
            distance=distance,
            is_shifted=is_shifted,
            is_proved=is_shifted and distance.is_proved(floor),
            is_lower=is_lower,
            is_confidence=True,
        )

    def in_doubt(self, limit: float) -> Shift | None:
        """Test whether more answers are in doubt: a loss of accuracy moves few rows, and moves them far down."""
        distance = likeness.between(self.new, self.controls, _doubt_of, alpha=self.doubt.alpha)
        if distance is None:
            return None
        new, old = distance.new_share[_IN_DOUBT], distance.old_share[_IN_DOUBT]
        middle = (new + old) / 2
        error = math.sqrt(middle * (1 - middle) * distance.error)
        freedom = distance.nodes or _NODES
        evidence = sequential.divided(
            [sequential.student_evidence(new - old - limit, error, freedom, scale=scale) for scale in _SCALES]
        )
        is_shifted = sequential.exceeds(evidence, self.doubt.alpha)
        before = likeness.with_itself(self.new, self.before, _doubt_of) if is_shifted else None
        if before is not None:
            # The hour before had another light: it need not show all of the rise.
            is_shifted = before.new_share[_IN_DOUBT] - before.old_share[_IN_DOUBT] > limit / 2
        text = f"answers in doubt {old:.1%} to {new:.1%} (may rise by {limit:.1%}; {_rows(distance)})"
        return Shift(
            rule="answers in doubt",
            text=text,
            figure=new - old,
            limit=limit,
            distance=distance,
            is_shifted=is_shifted,
            is_proved=is_shifted and distance.can_prove,
            is_lower=True,
            is_confidence=True,
        )

    def class_mix(self, floor: float) -> Shift | None:
        pick = likeness.classes_of(self.new, self.before, self.controls)
        distance = likeness.between(self.new, self.controls, pick, alpha=self.doubt.alpha)
        if distance is None:
            return None
        is_shifted = distance.is_beyond(floor)
        before = likeness.with_itself(self.new, self.before, pick) if is_shifted else None
        if before is not None:
            is_shifted = before.psi > floor
        agreement_max = max(_overlap(one) for one in (distance, before) if one is not None)
        told = f", so at most {agreement_max:.0%} can agree" if is_shifted else ""
        return Shift(
            rule="class mix shift",
            text=_psi_told("class mix", distance, floor, told),
            figure=distance.psi,
            limit=max(floor, distance.chance),
            distance=distance,
            is_shifted=is_shifted,
            is_proved=is_shifted and distance.is_proved(floor),
            agreement_max=agreement_max,
        )


def _psi_told(what: str, distance: Likeness, floor: float, more: str) -> str:
    figures = f"limit {floor:g}, chance explains {distance.chance:.3f}; {_rows(distance)}{more}"
    return f"{what} shift {distance.psi:.3f} ({figures})"


def _rows(distance: Likeness) -> str:
    return f"{distance.rows} rows against {distance.controls}"


def _doubt_of(behaviour: Behaviour) -> list[int]:
    return [sum(behaviour.confidence[:IN_DOUBT_BINS]), sum(behaviour.confidence[IN_DOUBT_BINS:])]


def _overlap(distance: Likeness) -> float:
    """Return the largest share of answers that can be equal, from how often each class is predicted."""
    return sum(map(min, distance.new_share, distance.old_share))


def _is_lower(distance: Likeness) -> bool:
    return likeness.mean_bin(distance.new_share) < likeness.mean_bin(distance.old_share)


def _mean(share: Sequence[float]) -> float:
    return (likeness.mean_bin(share) + 0.5) / CONFIDENCE_BINS


def _inputs(works: Sequence[Work], controls: Sequence[Work], doubt: Doubt) -> str:
    """Return in words how the quality of the inputs differs from the controls'; empty when it does not."""
    return ", ".join(_unlike(works, controls, doubt))


def _has_other_inputs(node: NodeEvidence, controls: Sequence[Work], doubt: Doubt) -> bool:
    looked_at = max((sum(counts) for counts in node.behaviour.quality.values()), default=0)
    return looked_at >= QUALITY_ROWS_MIN and any(_unlike([node.work], controls, doubt, rows_min=QUALITY_ROWS_MIN))


def _unlike(
    works: Sequence[Work], controls: Sequence[Work], doubt: Doubt, *, rows_min: int = likeness.CELL_ROWS_MIN
) -> Iterator[str]:
    for measure in sorted(_measures(works) & _measures(controls)):
        pick = likeness.quality_of(measure, works, controls)
        distance = likeness.between(works, controls, pick, alpha=doubt.alpha, rows_min=rows_min)
        if distance is not None and distance.is_beyond(QUALITY_FLOOR):
            yield f"the inputs differ from the controls' in {measure} ({distance.psi:.2f})"


def _measures(works: Iterable[Work]) -> set[str]:
    return {measure for work in works for measure in work.behaviour.quality}
