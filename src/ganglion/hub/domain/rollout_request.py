"""Is a rollout request sound, and what does it ask of each node? All problems are told together."""

import math
from collections.abc import Iterator

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

_SHARES = ("error_rate_max", "agreement_min", "reports_min_share", "compare_share", "shadow_cpu_share")
_RATIOS = ("latency_ratio_max",)
_LARGE = 1e9

RESTORE_POLICY = DeploymentPolicy(
    probation_s=0.0,
    inferences_min=0,
    error_rate_max=1.0,
    latency_ratio_max=_LARGE,
    agreement_min=0.0,
    compared_min=0,
    compare_share=0.0,
)
"""Going back is not a trial: comparing the old version with the one that failed would refuse the old one."""


def check(request: RolloutRequest) -> None:
    """Refuse settings that no rollout can meet. Raises: InvalidRequest."""
    problems = [*_problems(request.gate, "gate"), *_problems(request.probation, "probation")]
    if request.gate.compared_min > 0 and request.probation.compare_share == 0:
        problems.append("gate.compared_min needs comparisons, and probation.compare_share 0 makes none: set both to 0")
    if request.probation.shadow_comparisons_min > 0 and not _can_shadow(request.probation):
        problems.append("probation.shadow_comparisons_min needs a compare_share and a shadow_cpu_share above 0")
    if problems:
        raise InvalidRequest("; ".join(problems))


def _can_shadow(probation: ProbationSettings) -> bool:
    return probation.compare_share > 0 and probation.shadow_cpu_share > 0


def policy_of(request: RolloutRequest) -> DeploymentPolicy:
    """Return what each node demands of the version before it commits."""
    return msgspec.convert(request.probation, DeploymentPolicy, from_attributes=True)


def policy_for(policy: DeploymentPolicy, gate: GateSettings, nodes: int) -> DeploymentPolicy:
    """Return the policy for a stage of `nodes` nodes, with a probation long enough for the gate's comparisons.

    A node compares until it commits, so what the gate wants to see compared must happen before that.
    Half of the nodes are counted on; the others may be silent or have nothing to compare with.
    """
    if policy.compare_share == 0 or gate.compared_min == 0:
        return policy
    per_node = math.ceil(gate.compared_min / math.ceil(nodes / 2))
    return msgspec.structs.replace(policy, comparisons_min=max(policy.comparisons_min, per_node))


def _problems(settings: GateSettings | ProbationSettings, where: str) -> Iterator[str]:
    for name in settings.__slots__:
        value = float(getattr(settings, name))
        low, high = _bounds(name)
        if not low <= value <= high:  # also true for NaN
            yield f"{where}.{name} is {value:g}; it lies between {low:g} and {high:g}"


def _bounds(name: str) -> tuple[float, float]:
    if name in _SHARES:
        return 0.0, 1.0
    return (1.0, _LARGE) if name in _RATIOS else (0.0, _LARGE)
