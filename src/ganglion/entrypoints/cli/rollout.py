"""`ganglion rollout`: bring a released version to the fleet, stage by stage."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.key_values import filled

if TYPE_CHECKING:
    from ganglion.wire.rollout_resources import RolloutEntry, RolloutView, StageView

app = typer.Typer(no_args_is_help=True)

RolloutName = Annotated[str, typer.Argument(metavar="ROLLOUT_ID", help="Rollout, as `ganglion rollout list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the end; then exit code 6.")]

GATE_HELP = (
    "KEY=VALUE, repeatable: inferences_min, soak_s, error_rate_max, latency_ratio_max, latency_slack_us, "
    "agreement_min, compared_min, reports_min_share, deadline_s. What the fleet must show before the next stage."
)
PROBATION_HELP = (
    "KEY=VALUE, repeatable: probation_s, inferences_min, error_rate_max, latency_ratio_max, agreement_min, "
    "compared_min, compare_share, shadow_comparisons_min, shadow_cpu_share. What each node must see before it commits."
)


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """A rollout as one line of a table."""

    rollout_id: str
    model: str
    version: str
    state: str
    stage: str
    created_at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A rollout on a terminal: stages are counted as people count."""

    rollout_id: str
    model: str
    version: str
    state: str
    stage: str
    stages: "list[StageView]"
    reason: str
    created_at_s: float
    updated_at_s: float
    history: "list[RolloutEntry]"


@app.callback()
def rollout() -> None:
    """Bring a released version to the fleet, in stages."""


@hub_command(app, "start")
def start_rollout(
    session: Session,
    model_version: Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="What to roll out.")],
    stages: Annotated[
        str,
        typer.Option(help="Shares of the fleet (cumulative) or numbers of nodes; the last is 100%.", metavar="SHARES"),
    ] = "5%,25%,100%",
    gate: Annotated[list[str] | None, typer.Option(help=GATE_HELP, metavar="KEY=VALUE")] = None,
    probation: Annotated[list[str] | None, typer.Option(help=PROBATION_HELP, metavar="KEY=VALUE")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Print each change until it ends.")] = False,
    timeout: Timeout = 86_400.0,
) -> None:
    """Start a rollout. With --wait, exit code 0 means completed and 1 aborted.

    Example: ganglion rollout start digits:2 --stages 34%,100% --gate soak_s=60 --wait
    """
    from ganglion.core.ids import parse_model_version
    from ganglion.entrypoints.cli.rollout_watch import watch
    from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

    model, version = parse_model_version(model_version)
    request = RolloutRequest(
        model=model,
        version=version,
        stages=[share.strip() for share in stages.split(",") if share.strip()],
        gate=filled(GateSettings, gate or [], option="--gate"),
        probation=filled(ProbationSettings, probation or [], option="--probation"),
    )
    view = session.client.start_rollout(request)
    if wait:
        watch(session, view.rollout_id, timeout_s=timeout)
    else:
        _show(session, view)


@hub_command(app, "list")
def list_rollouts(session: Session) -> None:
    """List rollouts, newest first.

    Example: ganglion rollout list
    """
    rollouts = session.client.rollouts()
    session.show(
        rollouts,
        lines=[_line(each) for each in rollouts],
        empty="No rollouts yet: `ganglion rollout start MODEL:VERSION` begins one.",
    )


@hub_command(app, "show")
def show_rollout(session: Session, rollout_id: RolloutName) -> None:
    """Show a rollout's stages, what the gate said, and its history.

    Example: ganglion rollout show ROLLOUT_ID
    """
    _show(session, session.client.rollout(rollout_id))


@hub_command(app, "watch")
def watch_rollout(session: Session, rollout_id: RolloutName, timeout: Timeout = 86_400.0) -> None:
    """Print each change of a rollout until it ends. Exit code 0 means completed, 1 aborted.

    Example: ganglion rollout watch ROLLOUT_ID -o jsonl
    """
    from ganglion.entrypoints.cli.rollout_watch import watch

    watch(session, rollout_id, timeout_s=timeout)


@hub_command(app, "pause")
def pause_rollout(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Start no further stage until it is resumed.

    Example: ganglion rollout pause ROLLOUT_ID --reason "site visit"
    """
    _show(session, session.client.act_on_rollout(rollout_id, "pause", reason=reason))


@hub_command(app, "resume")
def resume_rollout(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Go on with a paused rollout.

    Example: ganglion rollout resume ROLLOUT_ID
    """
    _show(session, session.client.act_on_rollout(rollout_id, "resume", reason=reason))


@hub_command(app, "abort")
def abort_rollout(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Stop for good: each node goes back to its previous version.

    Example: ganglion rollout abort ROLLOUT_ID --reason "wrong labels"
    """
    _show(session, session.client.act_on_rollout(rollout_id, "abort", reason=reason))


@hub_command(app, "promote")
def promote_rollout(session: Session, rollout_id: RolloutName, reason: Reason = "") -> None:
    """Go to the next stage now, whatever the gate says.

    Example: ganglion rollout promote ROLLOUT_ID --reason "looked at by hand"
    """
    # The stage that is left is named, so that the gate and two people who promote at once skip none.
    stage = session.client.rollout(rollout_id).stage
    _show(session, session.client.act_on_rollout(rollout_id, "promote", reason=reason, stage=stage))


def _show(session: Session, view: "RolloutView") -> None:
    record = RolloutRecord(
        rollout_id=view.rollout_id,
        model=view.model,
        version=view.version,
        state=view.state,
        stage=_stage(view),
        stages=view.stages,
        reason=view.reason,
        created_at_s=view.created_at_s,
        updated_at_s=view.updated_at_s,
        history=view.history,
    )
    session.show(view, lines=record)


def _stage(view: "RolloutView") -> str:
    return f"{min(view.stage + 1, len(view.stages))} of {len(view.stages)}"


def _line(view: "RolloutView") -> RolloutLine:
    return RolloutLine(
        rollout_id=view.rollout_id,
        model=view.model,
        version=view.version,
        state=view.state,
        stage=_stage(view),
        created_at_s=view.created_at_s,
        reason=view.reason,
    )
