"""The options of `ganglion rollout start`."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli import times

Stages = Annotated[
    str,
    typer.Option(
        help="Cumulative shares or numbers of nodes, group:NAME, class:NAME; the last is 100%.", metavar="STAGES"
    ),
]
To = Annotated[str, typer.Option("--to", metavar="group:NAME", help="For this group alone.")]
Select = Annotated[
    str | None, typer.Option("--select", metavar="SELECTOR", help="For these nodes alone: site=porto,!canary.")
]
Policy = Annotated[
    str, typer.Option("--policy", help="Name of a RolloutPolicy of `ganglion apply`; other options go before it.")
]
Seed = Annotated[str, typer.Option("--seed", help="Other nodes come first; otherwise MODEL:VERSION decides.")]
StartAt = Annotated[str | None, typer.Option("--start-at", metavar="TIME", help=times.HELP)]
Deadline = Annotated[str | None, typer.Option("--deadline", metavar="TIME", help="For all of it; as above.")]
OnDeadline = Annotated[str, typer.Option("--on-deadline", metavar="pause|abort", help="What happens then.")]
Approvals = Annotated[
    int, typer.Option("--approvals", help="How many others must approve each stage (`ganglion rollout approve`).")
]
IfBusy = Annotated[
    str, typer.Option("--if-busy", metavar="refuse|queue", help="When another rollout of the model is open.")
]
Emergency = Annotated[
    bool, typer.Option("--emergency", help="No soak, no approvals; needs --reason. What aborts, still aborts.")
]
SiteParallel = Annotated[
    int, typer.Option("--site-parallel", help="Nodes of one site that take it at a time; 0: a whole stage.")
]
SiteBandwidth = Annotated[
    int, typer.Option("--site-bandwidth", help="Bytes per second that a site's nodes bring together; 0: no limit.")
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="WINDOW",
        help='When it may begin to answer, in each node\'s time zone: "mon-fri 22:00-05:00". Repeatable.',
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say who would get what and when; start nothing.")]
Wait = Annotated[bool, typer.Option("--wait", help="Print each change until it ends.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the end; then exit code 6.")]
