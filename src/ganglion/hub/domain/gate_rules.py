"""The gate's rules, one function each: a measured fact in words, and whether it forbids going on or ends the rollout.

To end a rollout a figure must break its limit beyond doubt (the whole confidence interval lies on the
wrong side), so that a few unlucky requests abort nothing. To go on, the figure itself must be within its limit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core import drift
from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import SCALE, Histogram
from ganglion.hub.domain import evidence as ev
from ganglion.hub.domain.evidence import Evidence, NodeEvidence, Outcome
from ganglion.wire.rollout_resources import GateSettings

ERRORS_MIN = 5
"""Fewer failures than this end nothing: Wilson's interval is too sure of itself for the first few."""
LATENCY_COUNT_MIN = 100
"""A p99 of fewer values says nothing."""
SHIFT_ROWS_MIN = 100
"""Rows on either side before two distributions are compared."""
_QUANTILE = 0.99
_NAMES_MAX = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found."""

    fact: str
    missing: str = ""
    """Why the rollout may not go on yet; empty when this rule is content."""
    is_fatal: bool = False
    """The rollout must end, and `fact` says why."""


def self_rollbacks(nodes: Sequence[NodeEvidence]) -> Finding:
    """A node that went back by itself has proved something that no average can outweigh."""
    back = [node for node in nodes if node.outcome is Outcome.ROLLED_BACK]
    if not back:
        return Finding("no node rolled back")
    named = "; ".join(f"{node.name}: {node.reason or 'no reason given'}" for node in back[:_NAMES_MAX])
    more = f" and {len(back) - _NAMES_MAX} more" if len(back) > _NAMES_MAX else ""
    fact = f"{len(back)} of {_nodes(len(nodes))} rolled back unasked ({named}{more})"
    return Finding(fact, is_fatal=True)


def error_rate(settings: GateSettings, behaviour: Behaviour) -> Finding:
    """Look at failed requests, as a share with a Wilson interval."""
    errors, requests, limit = behaviour.errors, behaviour.requests, settings.error_rate_max
    low, _ = drift.wilson_interval(errors, requests)
    fact = f"errors {errors} of {requests} ({behaviour.error_rate:.1%}, limit {limit:.1%})"
    if errors >= ERRORS_MIN and low > limit:
        return Finding(fact, is_fatal=True)
    return Finding(fact, missing=fact if behaviour.error_rate > limit else "")


def latency(settings: GateSettings, new: Behaviour, control: Behaviour | None, node_class: str) -> Finding:
    """Compare p99 with the old version's on machines of one class.

    The old figures come from nodes of the class that still run the old version in the same minutes; when
    those answered too little, from the comparisons that the new version's nodes made on the same requests.
    """
    old = _old_latency(new, control)
    if old is None or new.latency_us.count < LATENCY_COUNT_MIN:
        return Finding(f"latency on {node_class} not judged: fewer than {LATENCY_COUNT_MIN} answers on a side")
    old_us, new_us = old.quantile(_QUANTILE), new.latency_us.quantile(_QUANTILE)
    limit_us = max(old_us * settings.latency_ratio_max, old_us + settings.latency_slack_us)
    slow = count_above(new.latency_us, limit_us)
    low, _ = drift.wilson_interval(slow, new.latency_us.count)
    fact = f"p99 on {node_class} {new_us / 1000:.2f} ms, old version {old_us / 1000:.2f} ms"
    if slow >= ERRORS_MIN and low > 1 - _QUANTILE:
        share = f"{slow} of {new.latency_us.count} answers took longer than {limit_us / 1000:.2f} ms"
        return Finding(f"{fact}: {share} (limit x{settings.latency_ratio_max:g}, 1 in 100 may)", is_fatal=True)
    return Finding(fact, missing=f"{fact} (limit x{settings.latency_ratio_max:g})" if new_us > limit_us else "")


def agreement(settings: GateSettings, behaviour: Behaviour) -> Finding:
    """Compare the two versions' answers to the same live inputs, once there are enough of them."""
    compared, agreed, limit = behaviour.compared, behaviour.agreed, settings.agreement_min
    if compared < settings.compared_min:
        few = f"{compared} of {settings.compared_min} comparisons with the previous version"
        return Finding(few, missing=few)
    if compared == 0:
        return Finding("nothing compared with the previous version")
    _, high = drift.wilson_interval(agreed, compared)
    fact = f"agreement with the previous version {agreed} of {compared} ({behaviour.agreement:.1%}, limit {limit:.1%})"
    if high < limit:
        return Finding(fact, is_fatal=True)
    return Finding(fact, missing=fact if behaviour.agreement < limit else "")


def reports(settings: GateSettings, stage: Sequence[NodeEvidence]) -> Finding:
    """Count commits. A silent node is not counted as one, and at least one node must have spoken."""
    committed, silent = ev.count(stage, Outcome.COMMITTED), ev.count(stage, Outcome.SILENT)
    needed = max(1, math.ceil(settings.reports_min_share * len(stage) - 1e-9))
    fact = f"{committed} of {_nodes(len(stage))} committed, {silent} silent"
    return Finding(fact, missing=f"{fact}, {needed} needed" if committed < needed else "")


def volume(settings: GateSettings, behaviour: Behaviour) -> Finding:
    """Count the new version's answers in this stage."""
    answers, needed = behaviour.requests, settings.inferences_min
    return Finding(f"{answers} answers", missing=f"{answers} of {needed} answers" if answers < needed else "")


def soak(settings: GateSettings, evidence: Evidence) -> Finding:
    """Measure the time since the last node of the stage took the version."""
    soaked_s = evidence.soaked_s or 0.0
    fact = f"soak {soaked_s:.0f} of {settings.soak_s:.0f} s"
    return Finding(fact, missing=fact if evidence.soaked_s is None or soaked_s < settings.soak_s else "")


@dataclass(frozen=True, slots=True)
class Shifts:
    """How confidence and class mix moved against the old version on nodes of the same classes."""

    fact: str
    is_measured: bool
    is_shifted: bool = False


def shifts(new: Behaviour, control: Behaviour) -> Shifts:
    """Compare the distributions of confidence and of predicted classes."""
    if min(sum(new.confidence), sum(control.confidence)) < SHIFT_ROWS_MIN:
        return Shifts(f"shift not measured: fewer than {SHIFT_ROWS_MIN} rows on a side", is_measured=False)
    confidence = drift.compare(control.confidence, new.confidence)
    mix = _class_shift(control, new)
    found = [("confidence", confidence), *([("class mix", mix)] if mix else [])]
    words = ", ".join(f"{what} shift {one.psi:.2f} (chance explains {one.threshold:.2f})" for what, one in found)
    return Shifts(words, is_measured=True, is_shifted=any(one.is_shifted for _, one in found))


def count_above(histogram: Histogram, limit: float) -> int:
    """Return how many values certainly lay above `limit`: those whose bucket begins at or above it."""
    if limit <= 0:
        return sum(histogram.buckets.values())
    first = math.ceil(math.log2(limit) * (1 << SCALE) - 1e-9)
    return sum(count for index, count in histogram.buckets.items() if index >= first)


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _old_latency(new: Behaviour, control: Behaviour | None) -> Histogram | None:
    for histogram in (control.latency_us if control else None, new.compared_latency_us):
        if histogram is not None and histogram.count >= LATENCY_COUNT_MIN:
            return histogram
    return None


def _class_shift(control: Behaviour, new: Behaviour) -> drift.Shift | None:
    labels = sorted(control.classes.keys() | new.classes.keys())
    if len(labels) < 2:  # noqa: PLR2004 - one class has no mix
        return None
    return drift.compare(
        [control.classes.get(label, 0) for label in labels], [new.classes.get(label, 0) for label in labels]
    )
