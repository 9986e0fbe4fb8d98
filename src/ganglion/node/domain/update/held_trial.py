"""How does a version do that is held on trial beside another one, for days? Decided on the node, from its own counts.

It is judged by everything since the trial began, and again by the last hour: what turns bad on the fifth day must not
hide behind four good ones.
"""

from dataclasses import dataclass, replace

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update import probation, shadow
from ganglion.node.domain.update.probation import Judgement, Verdict
from ganglion.wire.desired import DeploymentPolicy

HOUR_S = 3600.0
LATELY_MIN = 500
"""Answers of both versions before the last hour is judged by itself: it is looked at a million times in a week."""
_UNCOMPARED_MAX = 100
"""When this many inputs should have been compared and none was, none will be."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What both versions have counted at one moment."""

    control: Behaviour
    challenger: Behaviour


@dataclass(frozen=True, slots=True)
class HeldWatch:
    """What was counted when the trial began, and when its last hour began."""

    began: Counts
    began_s: float
    lately: Counts
    lately_s: float


def begun(now: Counts, *, now_s: float) -> HeldWatch:
    """Return a watch that begins now."""
    kept = Counts(shadow.since(now.control, Behaviour()), shadow.since(now.challenger, Behaviour()))
    return HeldWatch(kept, now_s, kept, now_s)


def judge(policy: DeploymentPolicy, watch: HeldWatch, now: Counts, *, share: float, now_s: float) -> Judgement:
    """Judge the challenger. `share` of the control's inputs were to be compared.

    Healthy means: in order for an hour. It stays on trial all the same.
    """
    heard = shadow.since(now.control, watch.began.control)
    if heard.compared + heard.compared_failed == 0 and heard.requests * share >= _UNCOMPARED_MAX:
        return Judgement(Verdict.UNHEALTHY, f"trial: of {heard.requests} inputs none could be compared")
    lately = _seen(policy, watch.lately, now)
    is_enough = min(lately.latency_us.count, lately.compared_latency_us.count) >= LATELY_MIN
    broken = probation.broken_limit(policy, _seen(policy, watch.began, now))
    if not broken and is_enough:
        broken = probation.broken_limit(policy, lately)
    if broken:
        return Judgement(Verdict.UNHEALTHY, f"trial: {broken}")
    verdict = Verdict.HEALTHY if now_s - watch.began_s >= HOUR_S else Verdict.WAIT
    return Judgement(verdict, "it is held on trial until the hub wants something else")


def renewed(policy: DeploymentPolicy, watch: HeldWatch, now: Counts, *, now_s: float) -> HeldWatch:
    """Return the watch with a new last hour, when the one before is over and was judged."""
    lately = _seen(policy, watch.lately, now)
    if now_s - watch.lately_s < HOUR_S or min(lately.latency_us.count, lately.compared_latency_us.count) < LATELY_MIN:
        return watch
    return replace(watch, lately=begun(now, now_s=now_s).began, lately_s=now_s)


def _seen(policy: DeploymentPolicy, before: Counts, now: Counts) -> Behaviour:
    """Return the challenger's counts since, as a probation sees them: beside those of the version before."""
    heard = shadow.since(now.control, before.control)
    if not policy.traffic_share > 0.0:
        return shadow.turned(heard)
    own = shadow.since(now.challenger, before.challenger)
    return Behaviour(
        requests=own.requests,
        errors=own.errors,
        latency_us=own.latency_us,
        compared=heard.compared,
        agreed=heard.agreed,
        compared_latency_us=heard.latency_us,
    )
