"""The gate's rules on what a version costs: latency of the slowest answers, typical latency, memory and power.

Everything here is compared within a node class. Where the question is a mean, the node is what is counted: a
thousand answers of one slow machine are one machine.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ganglion.core import sequential
from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import SCALE, Histogram
from ganglion.hub.domain.gate import evidence as ev
from ganglion.hub.domain.gate import warm_up
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Work
from ganglion.hub.domain.gate.findings import HITS_MIN, LIKELY, Doubt, Finding, Rate, is_beyond_both, is_over
from ganglion.wire.rollout_resources import GateSettings

LATENCY_COUNT_MIN = 100
"""A p99 of fewer values says nothing."""
NODE_ANSWERS_MIN = 20
"""Answers of a node before it has a typical latency."""
NODES_MIN = 10
"""Nodes of a class, both sides together, before typical figures are judged."""
_SIDE_MIN = 3
_QUANTILE = 0.99
_ROUNDING = 1e-3
_SCALES = (0.05, 0.2, 0.8)
"""In base-2 logarithms: a difference of 3.5 % is to be found soonest where nodes are alike. Where they are not, so
little is never found, and the evidence of one scale alone would not see a version that takes thrice as long."""
JUDGED_FIGURES: Mapping[str, str] = {
    "memory_used_bytes": "memory",
    "power_w": "power",
}
"""Figures of machines that the gate looks at, and what they are called."""


def slowest(settings: GateSettings, evidence: Evidence, doubt: Doubt, *, are_cold: bool = True) -> Iterator[Finding]:
    """Compare p99 with the old version's, class by class. `are_cold`: the nodes have just taken the version.

    The old figures come from nodes of the class that still run the old version in the same minutes; when
    those answered too little, from the comparisons that the new version's nodes made on the same requests.
    """
    controls = ev.latency_by_class(evidence.controls)
    for node_class, new in sorted(ev.latency_by_class(evidence.stage).items()):
        old, count = _old_latency(new, controls.get(node_class)), new.latency_us.count
        if old is None or count < LATENCY_COUNT_MIN:
            few = f"latency on {node_class} not judged: fewer than {LATENCY_COUNT_MIN} answers on a side"
            yield Finding(rule="latency", fact=few, scope=node_class, sample=count)
            continue
        limit_us = _limit_us(settings, old)
        nodes = [node for node in evidence.stage if node.node_class == node_class]
        slow = [node for node in nodes if _was_slow(node, limit_us)]
        if slow:
            past = ev.latency_by_class(node.work_before for node in slow)[node_class].latency_us
            yield _slowest(settings, slow, past, doubt.halved(), limit_us=limit_us, are_cold=are_cold)
            nodes = [node for node in nodes if node not in slow]
        if nodes:
            part = doubt.halved() if slow else doubt
            yield _slowest(settings, nodes, old, part, limit_us=limit_us, are_cold=are_cold)


def _slowest(
    settings: GateSettings,
    nodes: Sequence[NodeEvidence],
    old: Histogram,
    doubt: Doubt,
    *,
    limit_us: float,
    are_cold: bool,
) -> Finding:
    node_class, allowed = nodes[0].node_class, 1 - _QUANTILE
    shown = _merged(node.behaviour.latency_us for node in nodes)
    count = shown.count
    if count and are_cold and shown.quantile(_QUANTILE) > limit_us:
        warm = _merged(warm_up.later(node.work.by_hour()) for node in nodes)
        shown = warm if warm.count >= LATENCY_COUNT_MIN else shown
    new_us, old_us = shown.quantile(_QUANTILE) if count else 0.0, old.quantile(_QUANTILE)
    slow = sum((_above(_latency(node, limit_us, is_cold=are_cold), limit_us) for node in nodes), Rate(0, 0))
    slow_before = _above(old, limit_us)
    fact = f"p99 on {node_class} {new_us / 1000:.2f} ms, old version {old_us / 1000:.2f} ms"
    is_fatal = is_beyond_both(slow, slow_before, allowed, doubt)
    over = f"{fact} (limit x{settings.latency_ratio_max:g})"
    is_missing = new_us > limit_us and is_over(_above(shown, limit_us), slow_before, allowed)
    if is_fatal:
        share = f"{slow.hits} of {slow.trials} answers took longer than {limit_us / 1000:.2f} ms"
        fact = f"{fact}: {share} (limit x{settings.latency_ratio_max:g}, 1 in 100 may): {doubt.told()}"
    return Finding(
        rule="latency",
        fact=fact,
        missing=over if is_missing and not is_fatal else "",
        is_fatal=is_fatal,
        scope=node_class,
        figure=new_us,
        limit=limit_us,
        sample=count,
    )


def _limit_us(settings: GateSettings, old: Histogram) -> float:
    old_us = old.quantile(_QUANTILE)
    return max(old_us * settings.latency_ratio_max, old_us + settings.latency_slack_us)


def _latency(node: NodeEvidence, limit_us: float, *, is_cold: bool) -> Histogram:
    latency = node.behaviour.latency_us
    return warm_up.warmed(node.work.by_hour(), latency, limit_us) if is_cold else latency


def _was_slow(node: NodeEvidence, limit_us: float) -> bool:
    """Say whether the version before was as slow on this node: a machine that is too hot is no fault of the new one."""
    before = _above(node.before.latency_us, limit_us)
    return before.hits >= HITS_MIN and before.share > 1 - _QUANTILE


def _merged(histograms: Iterable[Histogram]) -> Histogram:
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def typical(settings: GateSettings, evidence: Evidence, doubt: Doubt) -> Iterator[Finding]:
    """Compare typical latency, node by node: this finds a version that is a little slower everywhere."""
    read = _Latency({name: _limit_us(settings, old) for name, old in _known(evidence.controls)})
    for node_class, (new, old) in _by_class(evidence.stage, evidence.controls, read):
        old_us = 2.0 ** fmean(old)
        limit = max(settings.latency_typical_ratio_max, 1.0 + settings.latency_typical_slack_us / old_us)
        found = _means(new, old, limit, doubt)
        if found is None:
            continue
        fact = f"typical latency on {node_class} x{found.ratio:.3f} of the old version's {old_us / 1000:.2f} ms"
        yield _judged("typical latency", fact, node_class, found, limit=limit, doubt=doubt)


def machines(settings: GateSettings, evidence: Evidence, doubt: Doubt) -> Iterator[Finding]:
    """Compare memory and power of the machines, where nodes tell them."""
    for figure, name in JUDGED_FIGURES.items():
        for node_class, (new, old) in _by_class(evidence.stage, evidence.controls, _Machine(figure)):
            found = _means(new, old, settings.machine_ratio_max, doubt)
            if found is not None:
                fact = f"{name} on {node_class} x{found.ratio:.2f} of that with the old version"
                yield _judged(name, fact, node_class, found, limit=settings.machine_ratio_max, doubt=doubt)


def count_above(histogram: Histogram, limit: float) -> int:
    """Return how many values certainly lay above `limit`: those whose bucket begins at or above it."""
    if limit <= 0:
        return sum(histogram.buckets.values())
    first = warm_up.first_above(limit)
    return sum(count for index, count in histogram.buckets.items() if index >= first)


@dataclass(frozen=True, slots=True)
class _Means:
    """Two groups of nodes, compared."""

    ratio: float
    is_beyond: bool
    is_likely: bool
    nodes: int
    controls: int


@dataclass(frozen=True, slots=True)
class _Machine:
    """Reads one figure of a machine, as a base-2 logarithm."""

    figure: str

    def __call__(self, work: NodeEvidence | Work) -> float | None:
        value = work.machine.get(self.figure, 0.0)
        return math.log2(value) if value > 0.0 and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class _Latency:
    """Reads a node's typical latency, as a base-2 logarithm, without the slow first answers of a new version."""

    limits_us: Mapping[str, float]

    def __call__(self, work: NodeEvidence | Work) -> float | None:
        limit_us, histogram = self.limits_us.get(work.node_class), work.behaviour.latency_us
        if isinstance(work, NodeEvidence) and limit_us is not None:
            histogram = _latency(work, limit_us, is_cold=True)
        count = sum(histogram.buckets.values())
        if count < NODE_ANSWERS_MIN:
            return None
        return sum((index + 0.5) * number for index, number in histogram.buckets.items()) / count / (1 << SCALE)


def _known(controls: Iterable[Work]) -> Iterator[tuple[str, Histogram]]:
    for node_class, old in ev.latency_by_class(controls).items():
        if old.latency_us.count >= LATENCY_COUNT_MIN:
            yield node_class, old.latency_us


def _by_class(
    stage: Sequence[NodeEvidence], controls: Sequence[Work], read: Callable[[NodeEvidence | Work], float | None]
) -> list[tuple[str, tuple[list[float], list[float]]]]:
    sides: dict[str, tuple[list[float], list[float]]] = {}
    answering: Sequence[NodeEvidence | Work] = [node for node in stage if node.behaviour.requests]
    for side, works in ((0, answering), (1, controls)):
        for work in works:
            value = read(work)
            if value is not None:
                sides.setdefault(work.node_class, ([], []))[side].append(value)
    return [
        (name, (new, old)) for name, (new, old) in sorted(sides.items()) if new and min(len(old), len(new)) >= _SIDE_MIN
    ]


def _means(new: Sequence[float], old: Sequence[float], limit: float, doubt: Doubt) -> _Means | None:
    """Compare two groups of logarithms. None: too few nodes to know how they differ by themselves."""
    freedom = len(new) + len(old) - 2
    if freedom + 2 < NODES_MIN:
        return None
    means = fmean(new), fmean(old)
    pooled = sum((value - mean) ** 2 for side, mean in zip((new, old), means, strict=True) for value in side) / freedom
    difference = means[0] - means[1]
    # Values are rounded to the buckets of a histogram: nodes never differ by less than that does.
    error = max(_ROUNDING, math.sqrt(pooled * (1 / len(new) + 1 / len(old))))
    excess = difference - math.log2(limit)
    evidence = sequential.divided(
        [sequential.student_evidence(excess, error, freedom, scale=scale) for scale in _SCALES]
    )
    return _Means(
        ratio=2.0**difference,
        is_beyond=sequential.exceeds(evidence, doubt.alpha),
        is_likely=excess > LIKELY * error,
        nodes=len(new),
        controls=len(old),
    )


def _judged(rule: str, fact: str, node_class: str, found: _Means, *, limit: float, doubt: Doubt) -> Finding:
    sizes = f"{found.nodes} nodes against {found.controls}, limit x{limit:.3g}"
    over = f"{fact} ({sizes})"
    return Finding(
        rule=rule,
        fact=f"{over}: {doubt.told()}" if found.is_beyond else over,
        missing=over if found.is_likely and not found.is_beyond else "",
        is_fatal=found.is_beyond,
        scope=node_class,
        figure=found.ratio,
        limit=limit,
        sample=found.nodes + found.controls,
    )


def _above(histogram: Histogram, limit_us: float) -> Rate:
    return Rate(count_above(histogram, limit_us), histogram.count)


def _old_latency(new: Behaviour, control: Behaviour | None) -> Histogram | None:
    for histogram in (control.latency_us if control else None, new.compared_latency_us):
        if histogram is not None and histogram.count >= LATENCY_COUNT_MIN:
            return histogram
    return None
