"""`ganglion hub`: the control plane itself."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli import hub_figures
from ganglion.entrypoints.cli.context import Config, Session, hub_command
from ganglion.entrypoints.cli.extras import needs_extra

app = typer.Typer(no_args_is_help=True)
hub_command(app, "figures")(hub_figures.figures)

_Data = Annotated[Path | None, typer.Option("--data", help="Data directory.", show_default="hub-data")]


@app.callback()
def hub() -> None:
    """Run the control plane."""


@app.command("run")
def run(
    data: _Data = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="TCP port; 0 takes a free one.", show_default="8443")
    ] = None,
    hostname: Annotated[
        list[str] | None, typer.Option("--hostname", help="Name by which nodes reach the hub. Repeatable.")
    ] = None,
    config: Config = None,
) -> None:
    """Run the hub until Ctrl-C or SIGTERM.

    The first start makes the certificate authority, the signing keys and the first account, and prints its token.

    Example: ganglion hub run --data ./hub --hostname hub.example --host 0.0.0.0
    """
    from ganglion.entrypoints.settings.tree import load_settings

    overrides = {
        "hub.data_dir": str(data) if data else None,
        "hub.host": host,
        "hub.port": port,
        "hub.hostnames": hostname or None,
    }
    settings = load_settings(config, overrides).hub
    with needs_extra("hub", "the hub"):
        from ganglion.entrypoints.hub_process.process import run_hub
    run_hub(settings)


@app.command("token")
def token(
    data: _Data = None,
    account: Annotated[str, typer.Option("--account", help="Account whose token was lost.")] = "admin",
    config: Config = None,
) -> None:
    """Make a new token for an account, on the hub's own machine. The old token and its sessions end.

    Example: ganglion hub token --data ./hub
    """
    from ganglion.entrypoints.settings.tree import load_settings

    settings = load_settings(config, {"hub.data_dir": str(data) if data else None}).hub
    with needs_extra("hub", "the hub"):
        from ganglion.entrypoints.hub_process.rescue import renew_token
    typer.echo(renew_token(Path(settings.data_dir), account))


@hub_command(app, "status")
def status(session: Session) -> None:
    """Show what the hub keeps, its room, and how many wait for it.

    Example: ganglion hub status
    """
    session.show(session.client.hub_status())
