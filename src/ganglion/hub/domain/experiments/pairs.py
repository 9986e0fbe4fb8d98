"""Two versions on the same nodes in the same hours: each node is compared with itself.

How machines, light or weather differ from node to node is then in both means, and falls out of the difference. What is
left is how nodes differ in what the versions make of them, which decides how wide the interval is.
Source: Student (1908), "The probable error of a mean", for paired differences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.experiments.comparison import NODE_ANSWERS_MIN, Mean, mean_of
from ganglion.hub.domain.gate import evidence as ev

Hours = Mapping[int, Behaviour]


@dataclass(frozen=True, slots=True)
class Pair:
    """What both versions did on one node, by hour."""

    node_class: str
    challenger: Hours
    control: Hours


def differences(metric: str, pairs: Iterable[Pair]) -> list[Mean]:
    """Return challenger minus control of each node, over the hours in which both worked there."""
    found = []
    for pair in pairs:
        both = {hour for hour in pair.challenger.keys() & pair.control.keys() if pair.challenger[hour].requests}
        new = mean_of(metric, pair.node_class, ev.merged(pair.challenger[hour] for hour in both))
        old = mean_of(metric, pair.node_class, ev.merged(pair.control[hour] for hour in both))
        if new is not None and old is not None:
            found.append(Mean(pair.node_class, new.value - old.value, new.variance + old.variance))
    return found


def agreement(node_class: str, hours: Hours) -> Mean | None:
    """Return on which share of its inputs a node's versions agreed; None: too few were compared."""
    total = ev.tallied(hours.values())
    if total.compared < NODE_ANSWERS_MIN:
        return None
    likely = (total.agreed + 0.5) / (total.compared + 1.0)
    return Mean(node_class, total.agreement, likely * (1.0 - likely) / total.compared)


def heard(control: Hours) -> dict[int, Behaviour]:
    """Return what a version did that only listened: it stands in the counts of the one that answered."""
    return {hour: _heard(behaviour) for hour, behaviour in control.items() if behaviour.compared}


def with_comparisons(own: Hours, control: Hours) -> dict[int, Behaviour]:
    """Return a challenger's counts with the comparisons that its control's requests gave rise to."""
    nothing = Behaviour()
    moved = dict(own)
    for hour, behaviour in control.items():
        if behaviour.compared:
            moved[hour] = ev.merged([own.get(hour, nothing), _compared(behaviour)])
    return moved


def without_comparisons(control: Hours) -> dict[int, Behaviour]:
    """Return the control's counts without what was asked of its challenger."""
    return {hour: _alone(behaviour) for hour, behaviour in control.items()}


def _heard(control: Behaviour) -> Behaviour:
    heard_of = Behaviour(
        requests=control.compared_latency_us.count, latency_us=control.compared_latency_us,
        compared=control.compared, agreed=control.agreed,
    )  # fmt: skip
    if control.compared_confidence:
        heard_of.confidence = control.compared_confidence
    return heard_of


def _compared(control: Behaviour) -> Behaviour:
    return Behaviour(compared=control.compared, agreed=control.agreed)


def _alone(control: Behaviour) -> Behaviour:
    return Behaviour(
        requests=control.requests,
        errors=control.errors,
        latency_us=control.latency_us,
        confidence=control.confidence,
        classes=control.classes,
    )
