"""Is an experiment's request sound, and what does it ask of each node? All problems are told together."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import parse_name
from ganglion.hub.domain.experiments import modes as experiment_modes
from ganglion.hub.domain.experiments.accuracy import ACCURACY
from ganglion.hub.domain.fleet import selectors
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.hub.domain.rollouts.stages import GROUP
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.experiment_resources import ExperimentRequest
from ganglion.wire.rollout_resources import RolloutRequest

EFFECTS = {"error_rate": 0.01, "confidence": 0.02, "latency": 0.1, ACCURACY: 0.02}
"""The metrics, and the smallest difference that matters unless the request names one."""
CHALLENGERS_MAX = 9
_TEXT_MAX = 200
_YEAR_S = 366 * 86_400.0
_LARGE = 1e9
_SUM_SLACK = 1e-9


def check(request: ExperimentRequest) -> None:
    """Refuse what no experiment can be. Raises: InvalidName, InvalidRequest."""
    for what, name in (("experiment", request.name), ("model", request.model), ("version", request.control)):
        parse_name(name, what=what)
    for arm in request.arms:
        parse_name(arm.version, what="version")
    problems = [*_arm_problems(request), *_figure_problems(request), *_guard_problems(request)]
    problems += experiment_modes.problems(request)
    if request.to and request.select is not None:
        problems.append("to and select both say whom it is for: give one of them")
    if request.to and (not request.to.startswith(GROUP) or request.to == GROUP):
        problems.append(f"to is {request.to[:_TEXT_MAX]!r}; it names a group, as in 'group:canary'")
    if len(request.seed) > _TEXT_MAX:
        problems.append(f"seed has at most {_TEXT_MAX} characters")
    if problems:
        raise InvalidRequest("; ".join(problems))
    if request.select is not None:
        selectors.parse(request.select)
    # The brakes on a node are those of rollouts, and so are their bounds.
    rollout_request.check(RolloutRequest(model=request.model, version=request.control, probation=request.probation))


def policy_of(request: ExperimentRequest) -> DeploymentPolicy:
    """Return what each node of a challenger demands before it commits."""
    policy = msgspec.convert(request.probation, DeploymentPolicy, from_attributes=True)
    return experiment_modes.policy_of(request, policy)


def effect_of(request: ExperimentRequest, metric: str = "") -> float:
    """Return the smallest difference that matters, of the deciding metric or of another one."""
    metric = metric or request.metric
    return request.effect if request.effect > 0 and metric == request.metric else EFFECTS[metric]


def seed_of(request: ExperimentRequest) -> str:
    """Return what decides, with the node ids, who is in which arm."""
    return request.seed or request.name


def shares_of(request: ExperimentRequest) -> list[float]:
    """Return the share of each arm, the control's first; of nodes they add up to 1. Raises: InvalidRequest."""
    if experiment_modes.is_inside(request):
        return experiment_modes.shares_of(request)
    given = [arm.share for arm in request.arms]
    if any(not 0.0 <= share < 1.0 for share in given):  # also true for NaN
        raise InvalidRequest("the share of a challenger lies between 0 and 1")
    rest = 1.0 - math.fsum(given)
    each = rest / (1 + given.count(0.0))
    if each <= _SUM_SLACK:
        raise InvalidRequest("the shares of the challengers leave nothing to the control")
    return [each, *(share or each for share in given)]


def _arm_problems(request: ExperimentRequest) -> Iterator[str]:
    versions: Sequence[str] = [request.control, *(arm.version for arm in request.arms)]
    if not 1 <= len(request.arms) <= CHALLENGERS_MAX:
        yield f"{len(request.arms)} challengers were given; between 1 and {CHALLENGERS_MAX} are possible"
    if len(set(versions)) < len(versions):
        yield "every arm has a version of its own"
    try:
        shares_of(request)
    except InvalidRequest as error:
        yield error.message


def _figure_problems(request: ExperimentRequest) -> Iterator[str]:
    if request.metric not in EFFECTS:
        yield f"metric is {request.metric[:_TEXT_MAX]!r}; it is one of {', '.join(EFFECTS)}"
    if not 0.0 <= request.effect <= 1.0:
        yield f"effect is {request.effect:g}; it lies between 0 and 1"
    if not 1 <= request.requests_min <= _LARGE:
        yield f"requests_min is {request.requests_min}; it lies between 1 and {_LARGE:.0f}"
    if not 0.0 < request.length_s <= _YEAR_S:
        yield f"length_s is {request.length_s:g}; it lies above 0, and a year is the most"


def _guard_problems(request: ExperimentRequest) -> Iterator[str]:
    for field in fields(request.guard):
        value = float(getattr(request.guard, field.name))
        low, high = (1.0, _LARGE) if field.name == "latency_ratio_max" else (0.0, 1.0)
        if not low <= value <= high:
            yield f"guard.{field.name} is {value:g}; it lies between {low:g} and {high:g}"
