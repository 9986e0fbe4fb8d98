"""Experiments on a terminal, and shares as people write them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.fleet.experiment_words import arm_lines

if TYPE_CHECKING:
    from ganglion.entrypoints.cli.context import Session
    from ganglion.wire.experiment_resources import ArmRequest, ExperimentView

Action = Literal["start", "stop", "conclude"]
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """An experiment as one line of a table."""

    name: str
    model: str
    mode: str
    state: str
    arms: str
    metric: str
    started_at_s: float | None
    ends_at_s: float | None
    winner: str
    reason: str


def arm_of(text: str) -> "ArmRequest":
    """Read "2", "2=20%" or "2=0.2". Raises: InvalidRequest."""
    from ganglion.wire.experiment_resources import ArmRequest

    version, equals, share = text.partition("=")
    if not equals:
        return ArmRequest(version)
    part = _part(share)
    if not 0.0 < part < 1.0:
        raise InvalidRequest(f"--arm {text[:80]!r} should read VERSION or VERSION=SHARE, as in 2=20%")
    return ArmRequest(version, part)


def share_of(text: str) -> float:
    """Read "20%" or "0.2"; 0 of an empty text. Raises: InvalidRequest."""
    part = _part(text) if text else 0.0
    if text and not 0.0 < part <= 1.0:
        raise InvalidRequest(f"--share {text[:80]!r} should be a share of the requests, as in 20%")
    return part


def metric_in(mode: str) -> str:
    """Return what decides in a mode unless somebody says otherwise: nobody is answered by what only listens."""
    return "confidence" if mode == "shadow" else "error_rate"


def _part(share: str) -> float:
    try:
        return float(share.removesuffix("%")) / (_PERCENT if share.endswith("%") else 1.0)
    except ValueError:
        return 0.0


def line_of(view: "ExperimentView") -> ExperimentLine:
    """Return an experiment as one line."""
    return ExperimentLine(
        name=view.name,
        model=view.model,
        mode=view.request.mode,
        state=view.state,
        arms=", ".join(f"{arm.version}={arm.share:.0%}" for arm in view.arms),
        metric=view.request.metric,
        started_at_s=view.started_at_s,
        ends_at_s=view.ends_at_s,
        winner=view.winner,
        reason=view.reason,
    )


def _nothing_yet(view: "ExperimentView") -> str:
    """Return why an experiment shows no figures, and what brings some."""
    if view.state == "draft":
        return f"It has not begun: `ganglion experiment start {view.name}` gives nodes the challengers."
    if view.state == "running":
        arms = "; ".join(f"version {arm.version} on {arm.serving} of {arm.nodes}" for arm in view.arms)
        return f"No figures yet: they come with answers to real requests. Nodes that serve: {arms}."
    return "It ended before any arm had shown anything."


def show_experiment(session: "Session", view: "ExperimentView") -> None:
    """Print an experiment; on a terminal its line, and below it a line for each metric of each arm."""
    from ganglion.entrypoints.cli.output import OutputFormat, emit, note

    if session.output is not OutputFormat.TABLE:
        session.show(view)
        return
    emit([line_of(view)], session.output)
    lines = [line for arm in view.arms for line in arm_lines(arm)]
    emit(lines, session.output, empty=_nothing_yet(view))
    if lines:
        note(f"intervals hold at every look; all of one metric together, except with a chance of {view.chance:.0%}")
    if view.left_out:
        name, why = next(iter(view.left_out.items()))
        note(f"{len(view.left_out)} nodes take no part, among them {name}: {why}")
    if view.rollout_id:
        note(f"the winner is rolled out: ganglion rollout show {view.rollout_id}")
