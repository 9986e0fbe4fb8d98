"""Does a version that answers nobody yet agree with the one that does, at a speed that a client would bear?

The candidate is asked a share of the live inputs after each client has its answer. What it may spend on that is a
share of one core; the share of the inputs follows from it.
"""

from dataclasses import dataclass

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.node.domain.update import probation
from ganglion.node.domain.update.probation import Judgement, Verdict
from ganglion.wire.desired import DeploymentPolicy

_UNANSWERED_MAX = 100
"""When this many inputs should have been compared and none was, none will be."""
_SHARE_MIN = 0.001


@dataclass(frozen=True, slots=True)
class Watch:
    """What the active version had counted when the candidate began to listen, and how much it hears since."""

    before: Behaviour
    share: float
    marked_s: float
    """When the share was last looked at, and what all comparisons had cost by then."""
    marked_cost_us: float = 0.0


def wants_shadow(policy: DeploymentPolicy) -> bool:
    """Say whether a policy asks for a shadow before the version answers anybody."""
    return policy.shadow_comparisons_min > 0


def judge(policy: DeploymentPolicy, watch: Watch, active: Behaviour) -> Judgement:
    """Judge the candidate by what the active version has counted since. A broken limit ends the attempt at once."""
    seen = since(active, watch.before)
    if seen.compared + seen.compared_failed == 0 and seen.requests * watch.share >= _UNANSWERED_MAX:
        return Judgement(Verdict.UNHEALTHY, f"shadow: of {seen.requests} inputs none could be compared")
    broken = probation.broken_limit(policy, turned(seen))
    if broken:
        return Judgement(Verdict.UNHEALTHY, f"shadow: {broken}")
    figures = f"agreement {seen.agreement:.3f} over {seen.compared} inputs"
    if seen.compared < policy.shadow_comparisons_min:
        wanted = policy.shadow_comparisons_min
        return Judgement(Verdict.WAIT, f"shadow: {seen.compared} of {wanted} comparisons, {figures}")
    return Judgement(Verdict.HEALTHY, f"shadow: {figures}")


def next_share(policy: DeploymentPolicy, watch: Watch, active: Behaviour, *, now_s: float) -> float:
    """Return the share of the inputs with which the candidate keeps to its budget, at most the policy's."""
    elapsed_s = now_s - watch.marked_s
    spent_s = (active.compared_latency_us.total - watch.marked_cost_us) / 1e6
    if elapsed_s <= 0.0 or spent_s <= 0.0:
        return watch.share
    granted = watch.share * policy.shadow_cpu_share * elapsed_s / spent_s
    return max(_SHARE_MIN, min(policy.compare_share, granted))


def since(now: Behaviour, before: Behaviour) -> Behaviour:
    """Return what was counted between two looks at the same counts; of classes and confidences nothing."""
    return Behaviour(
        requests=now.requests - before.requests,
        errors=now.errors - before.errors,
        latency_us=_difference(now.latency_us, before.latency_us),
        compared=now.compared - before.compared,
        agreed=now.agreed - before.agreed,
        compared_latency_us=_difference(now.compared_latency_us, before.compared_latency_us),
        compared_failed=now.compared_failed - before.compared_failed,
    )


def turned(seen: Behaviour) -> Behaviour:
    """Return the counts as a probation sees them: here it is the candidate that was asked for comparison."""
    return Behaviour(
        requests=seen.compared_latency_us.count + seen.compared_failed,
        errors=seen.compared_failed,
        latency_us=seen.compared_latency_us,
        compared=seen.compared,
        agreed=seen.agreed,
        compared_latency_us=seen.latency_us,
    )


def _difference(now: Histogram, before: Histogram) -> Histogram:
    counts = {index: count - before.buckets.get(index, 0) for index, count in now.buckets.items()}
    return Histogram(
        buckets={index: count for index, count in counts.items() if count > 0},
        zeros=now.zeros - before.zeros,
        total=now.total - before.total,
    )
