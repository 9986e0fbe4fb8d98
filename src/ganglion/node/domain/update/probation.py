"""Has a version on probation earned its commit? Decided on the node, from what the node measured itself.

This is the coarse brake that works without a network; the hub's gate looks closer, over more nodes.
"""

from dataclasses import dataclass
from enum import StrEnum

from ganglion.core.behaviour import Behaviour
from ganglion.wire.desired import DeploymentPolicy

_QUANTILE = 0.99
_LATENCY_SAMPLE_MIN = 50
"""Below this many values on either side a p99 says nothing."""
_LATENCY_SLACK_US = 2_000
"""A ratio of two tiny latencies is noise; this much is granted on top of the ratio."""
_ERROR_SAMPLE_MIN = 20


class Verdict(StrEnum):
    """The three answers."""

    WAIT = "wait"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the figures behind it."""

    verdict: Verdict
    reason: str


def judge(policy: DeploymentPolicy, behaviour: Behaviour, *, elapsed_s: float) -> Judgement:
    """Judge a version by its behaviour since the switch. A broken limit ends the probation at once."""
    broken = broken_limit(policy, behaviour)
    if broken:
        return Judgement(Verdict.UNHEALTHY, broken)
    missing = _missing(policy, behaviour, elapsed_s)
    if missing:
        return Judgement(Verdict.WAIT, missing)
    agreement = f"agreement {behaviour.agreement:.3f}" if behaviour.compared else "nothing to compare with"
    return Judgement(Verdict.HEALTHY, f"{behaviour.requests} answers, {behaviour.errors} errors, {agreement}")


def _missing(policy: DeploymentPolicy, behaviour: Behaviour, elapsed_s: float) -> str:
    counts = (
        (elapsed_s, policy.probation_s, "s"),
        (behaviour.requests, policy.inferences_min, "answers"),
        (behaviour.compared, policy.comparisons_min, "comparisons"),
    )
    return ", ".join(f"{seen:.0f} of {wanted:g} {what}" for seen, wanted, what in counts if seen < wanted)


def broken_limit(policy: DeploymentPolicy, behaviour: Behaviour) -> str:
    """Return which limit a version breaks, in words; empty when it breaks none."""
    if behaviour.requests >= _ERROR_SAMPLE_MIN and behaviour.error_rate > policy.error_rate_max:
        return (
            f"error rate {behaviour.error_rate:.3f} above {policy.error_rate_max:g} over {behaviour.requests} answers"
        )
    if behaviour.compared >= policy.compared_min and behaviour.agreement < policy.agreement_min:
        return (
            f"agreement with the previous version {behaviour.agreement:.3f} below {policy.agreement_min:g}"
            f" over {behaviour.compared} inputs"
        )
    return _broken_latency(policy, behaviour)


def _broken_latency(policy: DeploymentPolicy, behaviour: Behaviour) -> str:
    ours, previous = behaviour.latency_us, behaviour.compared_latency_us
    if min(ours.count, previous.count) < _LATENCY_SAMPLE_MIN:
        return ""
    now_us, before_us = ours.quantile(_QUANTILE), previous.quantile(_QUANTILE)
    if now_us <= before_us * policy.latency_ratio_max + _LATENCY_SLACK_US:
        return ""
    return f"p99 latency {now_us / 1000:.2f} ms, the previous version takes {before_us / 1000:.2f} ms"
