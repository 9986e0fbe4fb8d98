"""`ganglion node`: the machines at the edge. `join` and `run` are for the node itself, the rest asks the hub."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli import node_local
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.resources import NodeView

app = typer.Typer(no_args_is_help=True)
app.command("join")(node_local.join)
app.command("run")(node_local.run)

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
