"""`ganglion rollout`: bring a released version to the fleet, stage by stage."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli import rollout_acts, rollout_policy, rollout_show, times
from ganglion.entrypoints.cli import rollout_options as options
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.key_values import filled
from ganglion.entrypoints.cli.rollout_acts import Reason, RolloutName

app = typer.Typer(no_args_is_help=True)


GATE_HELP = (
    "KEY=VALUE, repeatable: inferences_min, soak_s, error_rate_max, latency_ratio_max, latency_slack_us, "
    "agreement_min, compared_min, reports_min_share, deadline_s, on_deadline, reports_min, silence_s_max, "
    "rollback_share_max, crash_share_max, latency_typical_ratio_max, latency_typical_slack_us, shift_psi_max, "
    "doubt_rise_max, machine_ratio_max. What the fleet must show before the next stage."
)
PROBATION_HELP = (
    "KEY=VALUE, repeatable: probation_s, inferences_min, error_rate_max, latency_ratio_max, agreement_min, "
    "compared_min, compare_share, shadow_comparisons_min, shadow_cpu_share. What each node must see before it commits."
)


@app.callback()
def rollout() -> None:
    """Bring a released version to the fleet, in stages."""


@hub_command(app, "start")
def start_rollout(
    session: Session,
    model_version: Annotated[str, typer.Argument(metavar="MODEL:VERSION", help="What to roll out.")],
    *,
    policy: options.Policy = "",
    stages: options.Stages = "5%,25%,100%",
    gate: Annotated[list[str] | None, typer.Option(help=GATE_HELP, metavar="KEY=VALUE")] = None,
    probation: Annotated[list[str] | None, typer.Option(help=PROBATION_HELP, metavar="KEY=VALUE")] = None,
    to: options.To = "",
    select: options.Select = None,
    seed: options.Seed = "",
    start_at: options.StartAt = None,
    deadline: options.Deadline = None,
    on_deadline: options.OnDeadline = "pause",
    approvals: options.Approvals = 0,
    if_busy: options.IfBusy = "refuse",
    emergency: options.Emergency = False,
    reason: Reason = "",
    site_parallel: options.SiteParallel = 0,
    site_bandwidth: options.SiteBandwidth = 0,
    window: options.Windows = None,
    dry_run: options.DryRun = False,
    wait: options.Wait = False,
    timeout: options.Timeout = 86_400.0,
) -> None:
    """Start a rollout. With --wait, exit code 0 means completed and 1 aborted.

    Example: ganglion rollout start digits:2 --stages group:canary,34%,100% --gate soak_s=60 --wait
    """
    from ganglion.adapters.system import SystemClock
    from ganglion.core.ids import parse_model_version
    from ganglion.entrypoints.cli.rollout_watch import watch
    from ganglion.ports.clock import utc_s
    from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

    model, version = parse_model_version(model_version)
    now_s = utc_s(SystemClock())
    request = RolloutRequest(
        model=model,
        version=version,
        stages=[share.strip() for share in stages.split(",") if share.strip()],
        gate=filled(GateSettings, gate or [], option="--gate"),
        probation=filled(ProbationSettings, probation or [], option="--probation"),
        to=to,
        select=select,
        seed=seed,
        starts_at_s=times.point(start_at, option="--start-at", now_s=now_s),
        deadline_at_s=times.point(deadline, option="--deadline", now_s=now_s),
        deadline_act=on_deadline,
        approvals=approvals,
        if_busy=if_busy,
        emergency=emergency,
        reason=reason,
        site_parallel_max=site_parallel,
        site_bytes_per_s_max=site_bandwidth,
        windows=window or [],
    )
    if policy:
        request = rollout_policy.applied(session.client, request, policy)
    if dry_run:
        rollout_show.show_plan(session, session.client.plan_rollout(request))
        return
    view = session.client.start_rollout(request)
    if wait:
        watch(session, view.rollout_id, timeout_s=timeout)
    else:
        rollout_show.show_rollout(session, view)


@hub_command(app, "list")
def list_rollouts(session: Session) -> None:
    """List rollouts, newest first.

    Example: ganglion rollout list
    """
    rollouts = session.client.rollouts()
    session.show(
        rollouts,
        lines=[rollout_show.line_of(each) for each in rollouts],
        empty="No rollouts yet: `ganglion rollout start MODEL:VERSION` begins one.",
    )


@hub_command(app, "show")
def show_rollout(session: Session, rollout_id: RolloutName) -> None:
    """Show a rollout, and after an abort who is back.

    Example: ganglion rollout show ROLLOUT_ID
    """
    rollout_show.show_rollout(session, session.client.rollout(rollout_acts.named(session, rollout_id)))


@hub_command(app, "watch")
def watch_rollout(session: Session, rollout_id: RolloutName, timeout: options.Timeout = 86_400.0) -> None:
    """Print each change of a rollout until it ends. Exit code 0 means completed, 1 aborted.

    Example: ganglion rollout watch ROLLOUT_ID -o jsonl
    """
    from ganglion.entrypoints.cli.rollout_watch import watch

    watch(session, rollout_acts.named(session, rollout_id), timeout_s=timeout)


hub_command(app, "pause")(rollout_acts.pause)
hub_command(app, "resume")(rollout_acts.resume)
hub_command(app, "abort")(rollout_acts.abort)
hub_command(app, "promote")(rollout_acts.promote)
hub_command(app, "approve")(rollout_acts.approve)
hub_command(app, "skip")(rollout_acts.skip)
hub_command(app, "retry")(rollout_acts.retry)
