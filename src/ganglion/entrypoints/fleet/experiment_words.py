"""What an experiment shows, in words: one line for each metric of each arm, alike in the commands and the demo."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.wire.experiment_resources import ArmResult, ExperimentView, MetricResult


@dataclass(frozen=True, slots=True)
class ArmLine:
    """One metric of one arm as one line."""

    arm: str
    nodes: str
    requests: int
    metric: str
    mean: str
    interval: str
    difference: str
    finding: str
    detectable: str
    nodes_needed: int | None
    labels: str


def ways(view: "ExperimentView") -> str:
    """Return in a few words which versions work where."""
    request = view.request
    challengers = [arm for arm in view.arms if arm.version != request.control]
    names, control = ", ".join(f"version {arm.version}" for arm in challengers), f"version {request.control}"
    match request.mode:
        case "traffic":
            return f"{names} answers {request.share:.0%} of the requests on every node, {control} the others"
        case "shadow":
            return f"{names} hears {request.share:.0%} of the requests on every node, {control} answers them"
        case _:
            arms = ", ".join(f"version {arm.version} on {arm.share:.0%}" for arm in challengers)
            return f"{arms} of the nodes, {control} on the others"


def arm_lines(arm: "ArmResult") -> list[ArmLine]:
    """Return a line for each metric of an arm."""
    return [_line(arm, each) for each in arm.metrics]


def _line(arm: "ArmResult", each: "MetricResult") -> ArmLine:
    is_latency = each.metric == "latency"
    nodes = f"{arm.serving} of {arm.nodes} serve"
    return ArmLine(
        arm=f"{arm.version} (control)" if arm.is_control else arm.version,
        nodes=f"{nodes}, {arm.rolled_back} went back" if arm.rolled_back else nodes,
        requests=arm.requests,
        metric=each.metric,
        mean=_value(each.mean, is_latency=is_latency),
        interval=_interval(each.low, each.high, is_latency=is_latency),
        difference="" if each.difference is None else _between(each),
        finding=each.finding,
        detectable="" if each.detectable is None else f"{each.detectable:.2%}",
        nodes_needed=each.nodes_needed,
        labels=_labels(each),
    )


def _labels(each: "MetricResult") -> str:
    if not each.labelled:
        return ""
    needed = "" if each.labels_needed is None else f", {each.labels_needed} needed"
    return f"{each.right} of {each.labelled} right{needed}"


def _between(each: "MetricResult") -> str:
    return f"{each.difference:+.2%} [{each.difference_low:+.2%}, {each.difference_high:+.2%}]"


def _interval(low: float | None, high: float | None, *, is_latency: bool) -> str:
    if low is None or high is None:
        return ""
    return f"[{_value(low, is_latency=is_latency)}, {_value(high, is_latency=is_latency)}]"


def _value(value: float, *, is_latency: bool) -> str:
    return f"{value:.0f} us" if is_latency else f"{value:.2%}"
