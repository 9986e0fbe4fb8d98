"""The commands of a node itself: `ganglion node join` and `ganglion node run`."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Config

_Data = Annotated[Path | None, typer.Option("--data", help="Data directory of the node.", show_default="node-data")]


def join(
    url: Annotated[str | None, typer.Argument(help="Address of the hub, https://HOST:PORT.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Join token from `ganglion node token NAME`.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="File of `ganglion node tokens`, or the directory that has it.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Which line of the file; otherwise the first.")] = "",
    data: _Data = None,
    config: Config = None,
) -> None:
    """Make this machine a node of a hub.

    With --from the token comes from a file, for example on a memory stick, and is wiped there once it was used.

    Example: ganglion node join https://hub.example:8443 --token TOKEN --data ./node
    """
    from ganglion.entrypoints.node import join as node_join
    from ganglion.entrypoints.node.keystore import node_keys
    from ganglion.entrypoints.settings.tree import load_settings

    settings = load_settings(config, {"node.data_dir": str(data) if data else None}).node
    keys = node_keys(settings)
    if source is not None and url is None and token is None:
        identity = node_join.join_from(source, name, settings.data_path, keys=keys)
    elif source is None and url is not None and token is not None:
        identity = node_join.join(url, token, settings.data_path, keys=keys)
    else:
        raise InvalidRequest("give the address of the hub with --token, or --from alone")
    typer.echo(f"joined {identity.hub_url} as {identity.name} (site {identity.site})")
    typer.echo(f"next: ganglion node run --data {settings.data_dir}", err=True)


def rekey_here(data: Path | None, config: Path | None) -> None:
    """Change the key of the node in this directory, whether it runs or not. Raises: NotJoined, HubUnreachable."""
    from ganglion.entrypoints.node.agent_start import open_link
    from ganglion.entrypoints.node.keystore import node_keys
    from ganglion.entrypoints.settings.tree import load_settings
    from ganglion.node.services.identity import load_identity
    from ganglion.node.services.places import Places

    settings = load_settings(config, {"node.data_dir": str(data) if data else None}).node
    places = Places(settings.data_path)
    identity = load_identity(places.identity)
    open_link(settings, places).rekey(node_keys(settings).current().public_key)
    typer.echo(f"{identity.name} has a new key")


def run(
    data: _Data = None,
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address on which models answer.")] = None,
    open_to_network: Annotated[
        bool | None, typer.Option("--open-to-network", help="Let every machine ask, without a token.")
    ] = None,
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

    from ganglion.entrypoints.node.logs import keep_logs
    from ganglion.entrypoints.node.supervisor import supervise
    from ganglion.entrypoints.processes.logs import configure_logs
    from ganglion.entrypoints.settings.tree import load_settings

    overrides = {
        "node.data_dir": str(data) if data else None,
        "node.serving.host": host,
        "node.serving.open_to_network": open_to_network,
        "node.serving.port": port,
        "node.serving.grpc_port": grpc_port,
    }
    settings = load_settings(config, overrides).node
    configure_logs("supervisor")
    keep_logs(settings, "supervisor")
    asyncio.run(supervise(settings))
