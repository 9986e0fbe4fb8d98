"""Is a rollout request sound, and what does it ask of each node? All problems are told together."""

import math
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from ganglion.core import install_windows
from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.rollouts.document import Terms
from ganglion.hub.domain.rollouts.stages import GROUP
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

_SHARES = (
    "error_rate_max",
    "agreement_min",
    "reports_min_share",
    "rollback_share_max",
    "crash_share_max",
    "doubt_rise_max",
    "compare_share",
    "shadow_cpu_share",
)
_RATIOS = ("latency_ratio_max", "latency_typical_ratio_max", "machine_ratio_max")
_ON_DEADLINE = ("abort", "pause", "wait")
_LARGE = 1e9
_TEXT_MAX = 200
_WINDOWS_MAX = 20
_APPROVALS_MAX = 20
_BYTES_MAX = 1 << 50
_YEAR_9999_S = 253_402_300_799.0

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
    problems = [*_problems(request.gate, "gate"), *_problems(request.probation, "probation"), *_term_problems(request)]
    if request.gate.compared_min > 0 and request.probation.compare_share == 0:
        problems.append("gate.compared_min needs comparisons, and probation.compare_share 0 makes none: set both to 0")
    if request.probation.shadow_comparisons_min > 0 and not _can_shadow(request.probation):
        problems.append("probation.shadow_comparisons_min needs a compare_share and a shadow_cpu_share above 0")
    if request.gate.on_deadline not in _ON_DEADLINE:
        problems.append(
            f"gate.on_deadline is {request.gate.on_deadline[:20]!r}; it is one of {', '.join(_ON_DEADLINE)}"
        )
    if problems:
        raise InvalidRequest("; ".join(problems))


def _can_shadow(probation: ProbationSettings) -> bool:
    return probation.compare_share > 0 and probation.shadow_cpu_share > 0


def policy_of(request: RolloutRequest) -> DeploymentPolicy:
    """Return what each node demands of the version before it commits."""
    policy = msgspec.convert(request.probation, DeploymentPolicy, from_attributes=True)
    return msgspec.structs.replace(policy, install_windows=tuple(request.windows))


def gate_of(request: RolloutRequest) -> GateSettings:
    """Return the gate that decides. An emergency does not soak; what ends a rollout ends this one too."""
    return replace(request.gate, soak_s=0.0) if request.emergency else request.gate


def terms_of(request: RolloutRequest) -> Terms:
    """Return everything else that was asked for. The request was checked."""
    return Terms(
        stages=tuple(request.stages),
        seed=request.seed or f"{request.model}:{request.version}",
        group=request.to.removeprefix(GROUP),
        selector=request.select,
        starts_at_s=request.starts_at_s,
        deadline_at_s=request.deadline_at_s,
        deadline_act=request.deadline_act,
        approvals=0 if request.emergency else request.approvals,
        if_busy=request.if_busy,
        is_emergency=request.emergency,
        site_parallel_max=request.site_parallel_max,
        site_bytes_per_s_max=request.site_bytes_per_s_max,
    )


def policy_for(policy: DeploymentPolicy, gate: GateSettings, nodes: int) -> DeploymentPolicy:
    """Return the policy for a stage of `nodes` nodes, with a probation long enough for the gate's comparisons.

    A node compares until it commits, so what the gate wants to see compared must happen before that.
    Half of the nodes are counted on; the others may be silent or have nothing to compare with.
    """
    if policy.compare_share == 0 or gate.compared_min == 0:
        return policy
    per_node = math.ceil(gate.compared_min / math.ceil(nodes / 2))
    return msgspec.structs.replace(policy, comparisons_min=max(policy.comparisons_min, per_node))


def _term_problems(request: RolloutRequest) -> Iterator[str]:
    if request.to and (not request.to.startswith(GROUP) or request.to == GROUP):
        yield f"to is {request.to[:_TEXT_MAX]!r}; it names a group, as in 'group:canary'"
    if request.to and request.select is not None:
        yield "to and select both say for whom the rollout is: give one of them"
    if request.select is not None:
        selectors.parse(request.select)
    if request.emergency and not request.reason.strip():
        yield "an emergency needs a reason"
    if max(map(len, (request.reason, request.seed, *request.windows))) > _TEXT_MAX:
        yield f"reason, seed and windows have at most {_TEXT_MAX} characters each"
    if len(request.windows) > _WINDOWS_MAX:
        yield f"{len(request.windows)} windows were given; at most {_WINDOWS_MAX} are possible"
    else:
        yield from install_windows.problems(request.windows)
    yield from _choice_problems(request)
    yield from _time_problems(request)


def _choice_problems(request: RolloutRequest) -> Iterator[str]:
    if request.deadline_act not in ("pause", "abort"):
        yield f"deadline_act is {request.deadline_act[:_TEXT_MAX]!r}; it is pause or abort"
    if request.if_busy not in ("refuse", "queue"):
        yield f"if_busy is {request.if_busy[:_TEXT_MAX]!r}; it is refuse or queue"
    bounds = {"approvals": _APPROVALS_MAX, "site_parallel_max": _LARGE, "site_bytes_per_s_max": _BYTES_MAX}
    for name, high in bounds.items():
        value = int(getattr(request, name))
        if not 0 <= value <= high:
            yield f"{name} is {value}; it lies between 0 and {high:.0f}"


def _time_problems(request: RolloutRequest) -> Iterator[str]:
    for name in ("starts_at_s", "deadline_at_s"):
        at_s = getattr(request, name)
        if at_s is not None and not 0 <= at_s <= _YEAR_9999_S:  # also true for NaN
            yield f"{name} is {at_s:g}; it is a time in seconds since 1970"
    if request.deadline_at_s is not None and request.deadline_at_s <= (request.starts_at_s or 0.0):
        yield "deadline_at_s lies before starts_at_s"


def _problems(settings: GateSettings | ProbationSettings, where: str) -> Iterator[str]:
    for name in settings.__slots__:
        if name == "on_deadline":
            continue
        value = float(getattr(settings, name))
        low, high = _bounds(name)
        if not low <= value <= high:  # also true for NaN
            yield f"{where}.{name} is {value:g}; it lies between {low:g} and {high:g}"


def _bounds(name: str) -> tuple[float, float]:
    if name in _SHARES:
        return 0.0, 1.0
    return (1.0, _LARGE) if name in _RATIOS else (0.0, _LARGE)
