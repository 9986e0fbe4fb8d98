"""`ganglion experiment`: let versions of a model work side by side, on many nodes, and see which is better."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli import experiment_show
from ganglion.entrypoints.cli import rollout_options as options
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.key_values import filled

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the experiment.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the history.")]
GUARD_HELP = (
    "KEY=VALUE, repeatable: error_rate_max, latency_ratio_max, confidence_drop_max, rollback_share_max. "
    "What ends it before its time."
)
_DAY_S = 86_400.0


@app.callback()
def experiment() -> None:
    """Find out which version of a model is better.

    Versions work side by side, on different nodes or on the same ones.
    """


@hub_command(app, "create")
def create_experiment(
    session: Session,
    name: Name,
    model: Annotated[str, typer.Argument(help="Model.")],
    *,
    control: Annotated[str, typer.Option(help="The version that the nodes serve now.")],
    arm: Annotated[
        list[str], typer.Option(metavar="VERSION[=SHARE]", help="A challenger, such as 2 or 2=20%. Repeatable.")
    ],
    to: options.To = "",
    select: options.Select = None,
    metric: Annotated[
        str,
        typer.Option(
            metavar="error_rate|confidence|latency|accuracy",
            help="What decides.",
            show_default="error_rate; in mode shadow confidence",
        ),
    ] = "",
    mode: Annotated[
        str,
        typer.Option(
            metavar="nodes|traffic|shadow",
            help="The challenger has nodes of its own, a share of the requests on every node, or hears them unseen.",
        ),
    ] = "nodes",
    share: Annotated[
        str, typer.Option(metavar="SHARE", help="Of the requests, in the modes traffic and shadow, such as 20%.")
    ] = "",
    effect: Annotated[float, typer.Option(help="The smallest difference that matters; 0: as the metric is.")] = 0.0,
    requests_min: Annotated[int, typer.Option(help="Answers of each arm before differences are told.")] = 1000,
    days: Annotated[float, typer.Option(help="It ends by itself after so long.")] = 7.0,
    guard: Annotated[list[str] | None, typer.Option(help=GUARD_HELP, metavar="KEY=VALUE")] = None,
    probation: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE, as for `ganglion rollout start`: what each node must see.", metavar="KEY=VALUE"),
    ] = None,
    seed: Annotated[str, typer.Option("--seed", help="Other nodes are in other arms; else the name decides.")] = "",
) -> None:
    """Declare an experiment. No node is touched before `ganglion experiment start`.

    Example: ganglion experiment create two-or-one digits --control 1 --arm 2 --mode traffic --share 20%
    """
    from ganglion.wire.experiment_resources import ExperimentGuard, ExperimentRequest
    from ganglion.wire.rollout_resources import ProbationSettings

    request = ExperimentRequest(
        name=name,
        model=model,
        control=control,
        arms=[experiment_show.arm_of(each) for each in arm],
        to=to,
        select=select,
        metric=metric or experiment_show.metric_in(mode),
        effect=effect,
        requests_min=requests_min,
        length_s=days * _DAY_S,
        guard=filled(ExperimentGuard, guard or [], option="--guard"),
        probation=filled(ProbationSettings, probation or [], option="--probation"),
        seed=seed,
        mode=mode,
        share=experiment_show.share_of(share),
    )
    experiment_show.show_experiment(session, session.client.create_experiment(request))


@hub_command(app, "start")
def start_experiment(session: Session, name: Name, reason: Reason = "") -> None:
    """Draw the arms, and give nodes the challengers' versions.

    Example: ganglion experiment start two-or-one
    """
    _act(session, name, "start", reason=reason)


@hub_command(app, "list")
def list_experiments(session: Session) -> None:
    """List experiments by name.

    Example: ganglion experiment list
    """
    views = session.client.experiments()
    session.show(
        views,
        lines=[experiment_show.line_of(each) for each in views],
        empty="No experiments yet: `ganglion experiment create NAME MODEL --control VERSION --arm VERSION` makes one.",
    )


@hub_command(app, "show")
def show_experiment(session: Session, name: Name) -> None:
    """Show an experiment: its arms, and what they show by now.

    Example: ganglion experiment show two-or-one
    """
    experiment_show.show_experiment(session, session.client.experiment(name))


@hub_command(app, "stop")
def stop_experiment(session: Session, name: Name, reason: Reason = "") -> None:
    """End it without a winner. Every node has back what it had.

    Example: ganglion experiment stop two-or-one --reason "the line stands still"
    """
    _act(session, name, "stop", reason=reason)


@hub_command(app, "conclude")
def conclude_experiment(
    session: Session,
    name: Name,
    winner: Annotated[str, typer.Option(help="The version that won; a challenger is rolled out in stages.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the history.")],
    stages: options.Stages = "5%,25%,100%",
    policy: Annotated[
        str, typer.Option(help="Name of a RolloutPolicy of `ganglion apply`; it goes before --stages.")
    ] = "",
) -> None:
    """End it with a winner, which is rolled out through the gate.

    Every node has back what it had until the rollout reaches it.

    Example: ganglion experiment conclude two-or-one --winner 2 --reason "half the errors"
    """
    _act(session, name, "conclude", reason=reason, winner=winner, stages=stages, policy=policy)


def _act(
    session: Session,
    name: str,
    action: "experiment_show.Action",
    *,
    reason: str,
    winner: str = "",
    stages: str = "",
    policy: str = "",
) -> None:
    from ganglion.wire.experiment_resources import ExperimentAction

    shares = [share.strip() for share in stages.split(",") if share.strip()]
    request = ExperimentAction(reason=reason, winner=winner, stages=shares, policy=policy)
    experiment_show.show_experiment(session, session.client.act_on_experiment(name, action, request))
