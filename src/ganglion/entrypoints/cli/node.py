"""`ganglion node`: the machines at the edge. `join` and `run` are for the node itself, the rest asks the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli import node_client, node_local, node_orders
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.resources import NodeView

app = typer.Typer(no_args_is_help=True)
app.command("join")(node_local.join)
app.command("run")(node_local.run)
app.add_typer(node_client.app, name="client")
node_orders.register(app)

Name = Annotated[str, typer.Argument(help="Name of the node.")]


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A node as one line of a table."""

    name: str
    site: str
    zone: str
    state: str
    last_seen_at_s: float | None
    models: list[str]
    waiting: int
    stored: int


@app.callback()
def node() -> None:
    """Join and run a node; look at the nodes of a hub."""


@hub_command(app, "token")
def make_token(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name that the node will have.")],
    site: Annotated[str, typer.Option(help="Where it stands.")] = "default",
    zone: Annotated[str, typer.Option(help="Which trust zone it belongs to.")] = "default",
    expires: Annotated[float, typer.Option(help="Seconds until the token expires.")] = 3600.0,
) -> None:
    """Make a token with which one machine can join, once.

    Example: ganglion node token gate-1 --site porto
    """
    from ganglion.wire.resources import TokenRequest

    session.show(session.client.create_node_token(TokenRequest(name, site=site, zone=zone, expires_in_s=expires)))
    if session.output is OutputFormat.TABLE:
        note(f"The token is shown only now. On the node: ganglion node join {session.client.url} --token TOKEN")


@hub_command(app, "tokens")
def make_tokens(
    session: Session,
    file: Annotated[Path, typer.Option("--out", help="File to write; it must not exist.")],
    names: Annotated[
        Path | None, typer.Option("--file", "-f", help="CSV file with a column `name`, and `site` and `zone` at will.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Or this many nodes, named PREFIX1, PREFIX2 and so on.")] = None,
    prefix: Annotated[str, typer.Option(help="Beginning of their names.")] = "node-",
    site: Annotated[str, typer.Option(help="Where they stand, unless the file says.")] = "default",
    zone: Annotated[str, typer.Option(help="Which trust zone they belong to, unless the file says.")] = "default",
    expires: Annotated[float, typer.Option(help="Seconds until the tokens expire.")] = 3600.0,
) -> None:
    """Make tokens for many machines at once, all or none.

    Example: ganglion node tokens -f names.csv --out ganglion-join.jsonl
    """
    from ganglion.entrypoints import node_names, provisioning
    from ganglion.wire.resources import TokenRequest

    plain = TokenRequest("", site=site, zone=zone, expires_in_s=expires)
    requests = node_names.requests(plain, names=names, count=count, prefix=prefix)
    client = session.client
    written = provisioning.TokenFile(file)
    try:
        replies = client.create_node_tokens(requests)
    except BaseException:
        written.discard()
        raise
    written.write(provisioning.provisions(client.url, requests, replies))
    note(f"{len(replies)} tokens are in {file}; on each machine: ganglion node join --from {file}")


@hub_command(app, "list")
def list_nodes(session: Session) -> None:
    """List the nodes, and what they serve.

    Example: ganglion node list
    """
    nodes = session.client.nodes()
    session.show(
        nodes,
        lines=[_line(each) for each in nodes],
        empty="No nodes yet: `ganglion node token NAME` makes a token for the first.",
    )


@hub_command(app, "show")
def show_node(session: Session, name: Name) -> None:
    """Show what a node serves and should serve, and its records.

    Example: ganglion node show gate-1
    """
    session.show(session.client.node(name))


@hub_command(app, "revoke")
def revoke_node(session: Session, name: Name) -> None:
    """Refuse everything that a node says from now on. It goes on serving with what it has.

    Example: ganglion node revoke gate-1
    """
    session.client.revoke_node(name)
    note(f"{name} is revoked")


@hub_command(app, "retire")
def retire_node(session: Session, name: Name) -> None:
    """Take a node out of service. It is refused from now on, and goes on serving with what it has.

    Example: ganglion node retire gate-1
    """
    session.client.act_on_node(name, "retire")
    note(f"{name} is retired")


@hub_command(app, "admit")
def admit_node(session: Session, name: Name) -> None:
    """Let a node in quarantine in again. It comes back by itself.

    Example: ganglion node admit gate-1
    """
    session.client.act_on_node(name, "admit")
    note(f"{name} is admitted")


@hub_command(app, "rekey")
def rekey_node(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Name of the node; without, the one in --data.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data directory of the node on this machine.")] = None,
) -> None:
    """Give a node a new key.

    A copy of its disk from before is worth nothing then.

    With a name, the hub asks the node, which does it at its next contact. Without, the node on this machine does it.

    Example: ganglion node rekey gate-1
    """
    if name is None:
        node_local.rekey_here(data, session.config)
        return
    session.client.act_on_node(name, "rekey")
    note(f"{name} is asked for a new key")


def _line(view: "NodeView") -> NodeLine:
    return NodeLine(
        name=view.name,
        site=view.site,
        zone=view.zone,
        state=view.state,
        last_seen_at_s=view.last_seen_at_s,
        models=[f"{each.model}:{each.version or '-'}" for each in view.models],
        waiting=view.waiting,
        stored=view.stored,
    )
