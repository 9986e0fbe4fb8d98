"""The commands of a node itself: `ganglion node join` and `ganglion node run`."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Config

_Data = Annotated[Path | None, typer.Option("--data", help="Data directory of the node.", show_default="node-data")]


def join(
    url: Annotated[str, typer.Argument(help="Address of the hub, https://HOST:PORT.")],
    token: Annotated[str, typer.Option("--token", help="Join token from `ganglion node token NAME`.")],
    data: _Data = None,
    config: Config = None,
) -> None:
    """Make this machine a node of a hub.

    Example: ganglion node join https://hub.example:8443 --token TOKEN --data ./node
    """
    from ganglion.entrypoints import node_join
    from ganglion.entrypoints.settings import load_settings

    settings = load_settings(config, {"node.data_dir": str(data) if data else None}).node
    identity = node_join.join(url, token, settings.data_path)
    typer.echo(f"joined {identity.hub_url} as {identity.name} (site {identity.site})")
    typer.echo(f"next: ganglion node run --data {settings.data_dir}", err=True)


def run(
    data: _Data = None,
    host: Annotated[str | None, typer.Option("--host", help="Address on which models answer.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port on which models answer; 0 takes a free one.")] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="Port of gRPC; 0 takes a free one.", show_default="none")
    ] = None,
    config: Config = None,
) -> None:
    """Run this node until Ctrl-C or SIGTERM.

    It answers requests and follows the hub, each in a process that is started again when it ends.

    Example: ganglion node run --data ./node --port 8080
    """
    import asyncio

    from ganglion.entrypoints.logs import configure_logs
    from ganglion.entrypoints.node_supervisor import supervise
    from ganglion.entrypoints.settings import load_settings

    overrides = {
        "node.data_dir": str(data) if data else None,
        "node.serving.host": host,
        "node.serving.port": port,
        "node.serving.grpc_port": grpc_port,
    }
    settings = load_settings(config, overrides).node
    configure_logs("supervisor")
    asyncio.run(supervise(settings))
