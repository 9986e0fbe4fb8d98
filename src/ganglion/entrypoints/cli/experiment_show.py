"""Experiments on a terminal, and shares as people write them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganglion.core.errors import InvalidRequest

if TYPE_CHECKING:
    from ganglion.entrypoints.cli.context import Session
    from ganglion.wire.experiment_resources import ArmRequest, ArmResult, ExperimentView, MetricResult

Action = Literal["start", "stop", "conclude"]
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """An experiment as one line of a table."""

    name: str
    model: str
    state: str
    arms: str
    metric: str
    started_at_s: float | None
    ends_at_s: float | None
    winner: str
    reason: str


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


def arm_of(text: str) -> "ArmRequest":
    """Read "2", "2=20%" or "2=0.2". Raises: InvalidRequest."""
    from ganglion.wire.experiment_resources import ArmRequest

    version, equals, share = text.partition("=")
    if not equals:
        return ArmRequest(version)
    try:
        part = float(share.removesuffix("%")) / (_PERCENT if share.endswith("%") else 1.0)
    except ValueError:
        part = 0.0
    if not 0.0 < part < 1.0:
        raise InvalidRequest(f"--arm {text[:80]!r} should read VERSION or VERSION=SHARE, as in 2=20%")
    return ArmRequest(version, part)


def line_of(view: "ExperimentView") -> ExperimentLine:
    """Return an experiment as one line."""
    return ExperimentLine(
        name=view.name,
        model=view.model,
        state=view.state,
        arms=", ".join(f"{arm.version}={arm.share:.0%}" for arm in view.arms),
        metric=view.request.metric,
        started_at_s=view.started_at_s,
        ends_at_s=view.ends_at_s,
        winner=view.winner,
        reason=view.reason,
    )


def show_experiment(session: "Session", view: "ExperimentView") -> None:
    """Print an experiment; on a terminal its line, and below it a line for each metric of each arm."""
    from ganglion.entrypoints.cli.output import OutputFormat, emit, note

    if session.output is not OutputFormat.TABLE:
        session.show(view)
        return
    emit([line_of(view)], session.output)
    lines = [line for arm in view.arms for line in _lines(arm)]
    emit(lines, session.output, empty="No arm has shown anything yet.")
    if lines:
        note(f"intervals hold at every look; all of one metric together, except with a chance of {view.chance:.0%}")
    if view.left_out:
        name, why = next(iter(view.left_out.items()))
        note(f"{len(view.left_out)} nodes take no part, among them {name}: {why}")
    if view.rollout_id:
        note(f"the winner is rolled out: ganglion rollout show {view.rollout_id}")


def _lines(arm: "ArmResult") -> list[ArmLine]:
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
    )


def _between(each: "MetricResult") -> str:
    return f"{each.difference:+.2%} [{each.difference_low:+.2%}, {each.difference_high:+.2%}]"


def _interval(low: float | None, high: float | None, *, is_latency: bool) -> str:
    if low is None or high is None:
        return ""
    return f"[{_value(low, is_latency=is_latency)}, {_value(high, is_latency=is_latency)}]"


def _value(value: float, *, is_latency: bool) -> str:
    return f"{value:.0f} us" if is_latency else f"{value:.2%}"
