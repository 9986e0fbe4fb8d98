"""`ganglion`: every command hangs here.

The modules of the commands import typer and nothing heavier, so that all of them together cost a few
milliseconds; what a command needs, it imports when it runs.
"""

import typer

from ganglion.entrypoints.cli import (
    account,
    advise,
    alert,
    apply,
    audit,
    dataset,
    demo,
    event,
    experiment,
    group,
    hub,
    login,
    model,
    node,
    place,
    rollout,
    sample,
    serve,
    simulate,
    token,
    trust,
    version,
)
from ganglion.entrypoints.cli.context import hub_command
from ganglion.entrypoints.cli.failures import DEBUG

# Plain help: it reads well through a pager and a screen reader, and comes without a library for boxes.
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

for _name, _group in {
    "hub": hub.app,
    "node": node.app,
    "model": model.app,
    "group": group.app,
    "site": place.site_app,
    "zone": place.zone_app,
    "rollout": rollout.app,
    "experiment": experiment.app,
    "alert": alert.app,
    "sample": sample.app,
    "dataset": dataset.app,
    "event": event.event_app,
    "result": event.result_app,
    "account": account.app,
    "token": token.app,
    "audit": audit.app,
    "advise": advise.app,
    "trust": trust.app,
}.items():
    app.add_typer(_group, name=_name)
hub_command(app, "diff")(apply.diff)
hub_command(app, "apply")(apply.apply)
app.command("serve")(serve.serve)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("demo")(demo.demo)
app.command("simulate")(simulate.simulate)
app.command("version")(version.version)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"ganglion {metadata.version('ganglion')}")
        raise typer.Exit


@app.callback()
def ganglion(
    *,
    _debug: bool = typer.Option(False, DEBUG, help="Print the traceback of an error; may stand anywhere."),
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Run AI models where the data is born, and learn from it in the cloud."""
