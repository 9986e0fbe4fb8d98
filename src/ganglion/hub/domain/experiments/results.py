"""What an experiment has shown so far, with intervals that hold at every look, and whether its guard must end it.

How nodes are counted and compared stands in `experiments.comparison`; here is which nodes, which hours, and what is
said of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ganglion.core import sequential
from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.experiments import accuracy as experiment_accuracy
from ganglion.hub.domain.experiments import modes as experiment_modes
from ganglion.hub.domain.experiments import pairs as experiment_pairs
from ganglion.hub.domain.experiments.accuracy import ACCURACY, LABELS_MIN, NodeScores, labels_needed
from ganglion.hub.domain.experiments.comparison import (
    Estimate,
    Mean,
    arm_mean,
    difference,
    mean_of,
    middle,
    nodes_needed,
)
from ganglion.hub.domain.experiments.modes import AGREEMENT, Mode
from ganglion.hub.domain.experiments.pairs import Pair
from ganglion.hub.domain.experiments.request import EFFECTS, effect_of
from ganglion.hub.domain.gate import evidence as ev
from ganglion.wire.experiment_resources import ArmResult, ExperimentGuard, ExperimentRequest, MetricResult

CHANCE = 0.05
"""Of one of the deciding intervals being wrong, over all looks and challengers together."""
GUARD_CHANCE = 0.001
"""Of a guard ending an experiment without a cause, for each limit and challenger."""
_EXPONENT_MAX = 700.0
"""Of what a float holds."""
_AGREEMENT_EFFECT = 0.02
"""The difference between agreements that is to be seen soonest."""
_HIGHER_IS_BETTER = frozenset({"confidence", ACCURACY})


@dataclass(frozen=True, slots=True)
class NodeWork:
    """What the arm's version did on one of its nodes, by hour."""

    node_class: str
    hours: Mapping[int, Behaviour]
    node: str = ""
    """Which node it is, where arms share their nodes."""


@dataclass(frozen=True, slots=True)
class ArmWork:
    """What is known of one arm."""

    version: str
    share: float
    nodes: int
    serving: int = 0
    rolled_back: int = 0
    work: Sequence[NodeWork] = ()
    node_names: Sequence[str] = field(default=())
    scores: Sequence[NodeScores] = ()
    """What people said of its answers; empty where nobody asks for the accuracy."""
    is_beside: bool = False
    """It works on the control's nodes: each of them is compared with itself."""

    @property
    def total(self) -> Behaviour:
        """Return the counts of all nodes and hours together."""
        return ev.merged(behaviour for node in self.work for behaviour in node.hours.values())


def beside(mode: str, control: ArmWork, challenger: ArmWork) -> list[ArmWork]:
    """Return the arms of an experiment inside of nodes. What was compared there was counted with the control."""
    classes = {node.node: node.node_class for node in (*challenger.work, *control.work)}
    own, theirs = _by_node(challenger), _by_node(control)
    if mode == Mode.SHADOW:
        new = {node: experiment_pairs.heard(hours) for node, hours in theirs.items()}
    else:
        new = {node: experiment_pairs.with_comparisons(own.get(node, {}), theirs.get(node, {})) for node in classes}
    work = [NodeWork(classes[node], hours, node) for node, hours in sorted(new.items())]
    alone = [replace(each, hours=experiment_pairs.without_comparisons(each.hours)) for each in control.work]
    return [replace(control, work=alone), replace(challenger, work=work, is_beside=True)]


def results(request: ExperimentRequest, arms: Sequence[ArmWork]) -> list[ArmResult]:
    """Return what each arm shows, the control first as in `arms`."""
    control = arms[0]
    return [_result(request, arm, None if arm is control else control, len(arms) - 1) for arm in arms]


def broken(guard: ExperimentGuard, arms: Sequence[ArmWork]) -> str:
    """Return which limit a challenger has broken, with the figures; empty: none."""
    for arm in arms[1:]:
        for text in (_errors(guard, arm), _rollbacks(guard, arm), _against_control(guard, arm, arms[0])):
            if text:
                return f"{arm.version}: {text}"
    return ""


def _result(request: ExperimentRequest, arm: ArmWork, control: ArmWork | None, challengers: int) -> ArmResult:
    total = arm.total
    return ArmResult(
        version=arm.version,
        share=arm.share,
        is_control=control is None,
        nodes=arm.nodes,
        serving=arm.serving,
        rolled_back=arm.rolled_back,
        requests=total.requests,
        errors=total.errors,
        compared=total.compared,
        agreed=total.agreed,
        metrics=[*_metrics(request, arm, control, challengers), *_agreement(arm)],
        node_names=list(arm.node_names),
    )


def _metrics(
    request: ExperimentRequest, arm: ArmWork, control: ArmWork | None, challengers: int
) -> Iterator[MetricResult]:
    for name in experiment_modes.metrics_of(request, list(EFFECTS)):
        found = _metric(request, name, arm, control, challengers)
        if found is not None:
            yield found


def _agreement(arm: ArmWork) -> Iterator[MetricResult]:
    """Return how often a challenger says what the control beside it says, which is neither better nor worse."""
    nodes = (experiment_pairs.agreement(node.node_class, node.hours) for node in arm.work if arm.is_beside)
    means = [mean for mean in nodes if mean is not None]
    if means:
        yield _shown_mean(AGREEMENT, means, CHANCE, scale=_AGREEMENT_EFFECT)


def _shown_mean(name: str, means: Sequence[Mean], chance: float, *, scale: float) -> MetricResult:
    own, centre = arm_mean(means), middle(means)
    half = own.half_width(chance, scale=scale) if own else math.inf
    return MetricResult(
        metric=name,
        mean=_shown(name, centre),
        low=None if math.isinf(half) else _shown(name, centre - half),
        high=None if math.isinf(half) else _shown(name, centre + half),
    )


def _metric(
    request: ExperimentRequest, name: str, arm: ArmWork, control: ArmWork | None, challengers: int
) -> MetricResult | None:
    means = _means(name, arm)
    if not means:
        return None
    chance, effect = CHANCE / challengers, _inner_effect(request, name)
    counted = experiment_accuracy.scored(arm.scores if name == ACCURACY else ())
    shown = _shown_mean(name, means, chance, scale=effect)
    result = replace(shown, labelled=counted.labelled, right=counted.right)
    return result if control is None else _compared(request, result, arm, control, chance)


def _compared(
    request: ExperimentRequest, result: MetricResult, arm: ArmWork, control: ArmWork, chance: float
) -> MetricResult:
    """Return the result with the difference to the control, when there is enough to speak of one."""
    name, effect = result.metric, _inner_effect(request, result.metric)
    new, old = _together(name, arm, control)
    found, nodes = _difference(name, arm, control)
    samples = _sample(name, arm), _sample(name, control)
    too_few = min(samples) < (LABELS_MIN if name == ACCURACY else request.requests_min)
    half = found.half_width(chance, scale=effect) if found else math.inf
    if found is None or too_few or math.isinf(half):
        return replace(result, finding="too_early")
    low, high = found.value - half, found.value + half
    return replace(
        result,
        difference=_shown_difference(name, found.value),
        difference_low=_shown_difference(name, low),
        difference_high=_shown_difference(name, high),
        detectable=_shown_difference(name, found.detectable(chance, scale=effect)),
        nodes_needed=nodes_needed(found, nodes, chance, effect=effect),
        labels_needed=labels_needed(new, old, sum(samples), chance, effect=effect) if name == ACCURACY else None,
        finding=_finding(name, low, high),
    )


def _finding(metric: str, low: float, high: float) -> str:
    if low <= 0.0 <= high:
        return "open"
    return "better" if (low > 0.0) == (metric in _HIGHER_IS_BETTER) else "worse"


def _errors(guard: ExperimentGuard, arm: ArmWork) -> str:
    total = ev.tallied(behaviour for node in arm.work for behaviour in node.hours.values())
    evidence = sequential.rate_evidence(total.errors, total.requests, guard.error_rate_max)
    if not sequential.exceeds(evidence, GUARD_CHANCE):
        return ""
    return f"{total.errors} errors in {total.requests} requests, above {guard.error_rate_max:g}"


def _rollbacks(guard: ExperimentGuard, arm: ArmWork) -> str:
    if arm.rolled_back <= guard.rollback_share_max * arm.nodes:
        return ""
    return f"{arm.rolled_back} of {arm.nodes} nodes rolled back unasked, above a share of {guard.rollback_share_max:g}"


def _against_control(guard: ExperimentGuard, arm: ArmWork, control: ArmWork) -> str:
    slower, _ = _surely("latency", arm, control)
    if slower > math.log(guard.latency_ratio_max):
        return f"typical latency at least {math.exp(slower):.2f} times the control's, above {guard.latency_ratio_max:g}"
    _, surer = _surely("confidence", arm, control)
    if surer < -guard.confidence_drop_max:
        return f"mean confidence at least {-surer:.3f} below the control's, above {guard.confidence_drop_max:g}"
    return ""


def _surely(metric: str, arm: ArmWork, control: ArmWork) -> tuple[float, float]:
    """Return the ends between which the difference lies for all that the guard knows."""
    found, _ = _difference(metric, arm, control)
    if found is None:
        return -math.inf, math.inf
    half = found.half_width(GUARD_CHANCE, scale=EFFECTS[metric])
    return found.value - half, found.value + half


def _difference(metric: str, arm: ArmWork, control: ArmWork) -> tuple[Estimate | None, int]:
    """Return challenger minus control, and on how many nodes it rests. Labels are few: they are never paired."""
    if not arm.is_beside or metric == ACCURACY:
        new, old = _together(metric, arm, control)
        return difference(new, old), len(new) + len(old)
    theirs = _by_node(control)
    pairs = [Pair(each.node_class, each.hours, theirs[each.node]) for each in arm.work if each.node in theirs]
    means = experiment_pairs.differences(metric, pairs)
    return arm_mean(means), len(means)


def _by_node(arm: ArmWork) -> dict[str, Mapping[int, Behaviour]]:
    return {node.node: node.hours for node in arm.work}


def _together(metric: str, arm: ArmWork, control: ArmWork) -> tuple[list[Mean], list[Mean]]:
    """Return both arms' means in the hours in which both answered: night or weather is not blamed on a version."""
    hours = _hours(arm) & _hours(control)
    return _means(metric, arm, hours), _means(metric, control, hours)


def _sample(metric: str, arm: ArmWork) -> int:
    """Return of how many answers a metric knows something."""
    return experiment_accuracy.scored(arm.scores).labelled if metric == ACCURACY else arm.total.requests


def _hours(arm: ArmWork) -> set[int]:
    return {hour for node in arm.work for hour, behaviour in node.hours.items() if behaviour.requests}


def _means(metric: str, arm: ArmWork, hours: set[int] | None = None) -> list[Mean]:
    if metric == ACCURACY:
        return experiment_accuracy.means(arm.scores, hours)
    found = []
    for node in arm.work:
        counted = ev.merged(each for hour, each in node.hours.items() if hours is None or hour in hours)
        found.append(mean_of(metric, node.node_class, counted))
    return [mean for mean in found if mean is not None]


def _inner_effect(request: ExperimentRequest, metric: str) -> float:
    effect = effect_of(request, metric)
    return math.log1p(effect) if metric == "latency" else effect


def _shown(metric: str, value: float) -> float:
    if metric == "latency":
        return math.exp(min(value, _EXPONENT_MAX))
    return min(1.0, max(0.0, value))


def _shown_difference(metric: str, value: float) -> float:
    return math.expm1(min(value, _EXPONENT_MAX)) if metric == "latency" else value
