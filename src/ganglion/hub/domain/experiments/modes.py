"""Where the versions of an experiment meet: on different nodes, or inside the same ones."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.experiment_resources import ExperimentRequest

AGREEMENT = "agreement"
"""Share of inputs on which a challenger says what the control says. It is shown, and decides nothing."""
SHARE_MIN = 0.001
_TEXT_MAX = 40


class Mode(StrEnum):
    """How a challenger gets its work."""

    NODES = "nodes"
    """It has nodes of its own."""
    TRAFFIC = "traffic"
    """It answers a share of the requests on every node, sticky by their key."""
    SHADOW = "shadow"
    """It hears a share of the inputs on every node, and answers nobody."""


_UNSEEN = {Mode.SHADOW: frozenset({"error_rate", "accuracy"})}
"""What cannot be known of a version that answers nobody."""


def is_inside(request: ExperimentRequest) -> bool:
    """Say whether control and challenger work on the same nodes."""
    return request.mode in (Mode.TRAFFIC, Mode.SHADOW)


def metrics_of(request: ExperimentRequest, known: Sequence[str]) -> list[str]:
    """Return those of the known metrics that can be compared in this mode."""
    unseen = _UNSEEN.get(Mode(request.mode), frozenset[str]())
    return [name for name in known if name not in unseen]


def shares_of(request: ExperimentRequest) -> list[float]:
    """Return which share of the requests control and challenger get. In the shadow the control answers all."""
    return [1.0 if request.mode == Mode.SHADOW else 1.0 - request.share, request.share]


def policy_of(request: ExperimentRequest, policy: DeploymentPolicy) -> DeploymentPolicy:
    """Return what a node is asked: inside of a node a challenger is held on trial, and never committed."""
    match Mode(request.mode):
        case Mode.NODES:
            return policy
        case Mode.TRAFFIC:
            return msgspec.structs.replace(policy, held=True, traffic_share=request.share)
        case Mode.SHADOW:
            return msgspec.structs.replace(policy, held=True, compare_share=request.share)


def problems(request: ExperimentRequest) -> Iterator[str]:
    """Return what is wrong with the mode and its share."""
    if request.mode not in list(Mode):
        yield f"mode is {request.mode[:_TEXT_MAX]!r}; it is one of {', '.join(Mode)}"
    elif request.mode == Mode.NODES:
        if request.share != 0.0:
            yield "share is that of the requests, in the modes traffic and shadow; of the nodes each arm has its own"
    else:
        yield from _inside_problems(request)


def _inside_problems(request: ExperimentRequest) -> Iterator[str]:
    mode = request.mode
    if len(request.arms) != 1:
        yield f"mode {mode} has one challenger, for a node tries one version at a time; {len(request.arms)} were given"
    if any(arm.share != 0.0 for arm in request.arms):
        yield f"in mode {mode} an arm has no share of the nodes: share says which part of the requests it gets"
    high = 1.0 if mode == Mode.SHADOW else 1.0 - SHARE_MIN
    if not SHARE_MIN <= request.share <= high:  # also true for NaN
        yield f"share is {request.share:g}; in mode {mode} it lies between {SHARE_MIN:g} and {high:g}"
    if request.metric in _UNSEEN.get(Mode(mode), ()):
        yield f"mode {mode} cannot compare {request.metric}, as nobody is answered: decide by confidence or latency"
    if mode == Mode.SHADOW and request.probation.shadow_cpu_share == 0.0:
        yield "in mode shadow a challenger needs a probation.shadow_cpu_share above 0"
