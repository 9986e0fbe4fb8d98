"""`ganglion node`: the machines at the edge. `join` and `run` are for the node itself, the rest asks the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.entrypoints.cli import (
    node_client,
    node_diagnosis,
    node_exec,
    node_files,
    node_lists,
    node_local,
    node_many,
    node_orders,
    node_shell,
)
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.resources import ModelOnNode, NodeView

app = typer.Typer(no_args_is_help=True)
app.command("join")(node_local.join)
app.command("run")(node_local.run)
app.add_typer(node_client.app, name="client")
app.add_typer(node_files.app, name="files")
node_orders.register(app)
node_exec.register(app)
node_shell.register(app)
node_diagnosis.register(app)
node_many.register(app)
node_lists.register(app)

Name = Annotated[str, typer.Argument(help="Name of the node.")]


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A node as one line of a table."""

    name: str
    site: str
    zone: str
    state: str
    health: str
    last_seen_at_s: float | None
    labels: str
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
    labels: Annotated[str, typer.Option("--labels", help="What it is called by, as line=3,canary=yes.")] = "",
) -> None:
    """Make a token with which one machine can join, once.

    Example: ganglion node token gate-1 --site porto
    """
    from ganglion.hub.domain.fleet.selectors import parse_labels
    from ganglion.wire.resources import TokenRequest

    request = TokenRequest(name, site=site, zone=zone, expires_in_s=expires, labels=parse_labels(labels))
    session.show(session.client.create_node_token(request))
    if session.output is OutputFormat.TABLE:
        note(f"The token is shown only now. On the node: ganglion node join {session.client.url} --token TOKEN")


@hub_command(app, "tokens")
def make_tokens(
    session: Session,
    file: Annotated[Path, typer.Option("--out", help="File to write; it must not exist.")],
    names: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="CSV file with a column `name`, and `site`, `zone` and `labels` at will."),
    ] = None,
    count: Annotated[int | None, typer.Option(help="Or this many nodes, named PREFIX1, PREFIX2 and so on.")] = None,
    prefix: Annotated[str, typer.Option(help="Beginning of their names.")] = "node-",
    site: Annotated[str, typer.Option(help="Where they stand, unless the file says.")] = "default",
    zone: Annotated[str, typer.Option(help="Which trust zone they belong to, unless the file says.")] = "default",
    expires: Annotated[float, typer.Option(help="Seconds until the tokens expire.")] = 3600.0,
    labels: Annotated[str, typer.Option("--labels", help="What all of them are called by, as line=3.")] = "",
) -> None:
    """Make tokens for many machines at once, all or none.

    Example: ganglion node tokens -f names.csv --out ganglion-join.jsonl
    """
    from ganglion.entrypoints.fleet import node_names
    from ganglion.entrypoints.node import provisioning
    from ganglion.hub.domain.fleet.selectors import parse_labels
    from ganglion.wire.resources import TokenRequest

    plain = TokenRequest("", site=site, zone=zone, expires_in_s=expires, labels=parse_labels(labels))
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
def list_nodes(
    session: Session,
    select: node_many.Select = None,
    site: Annotated[str | None, typer.Option("--site", help="Only on this site.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Only in this trust zone.")] = None,
    node_class: Annotated[str | None, typer.Option("--class", help="Only this class of machine.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only the nodes of this group.")] = None,
    state: Annotated[str, typer.Option("--state", help="Only in these states, with commas.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
) -> None:
    """List nodes, and what they serve.

    Example: ganglion node list --select line=3 --state active
    """
    given = {"site": site, "zone": zone, "class": node_class}
    terms = [f"{key}={value}" for key, value in given.items() if value is not None]
    selector = ",".join([*filter(None, [select]), *terms])
    nodes = session.client.nodes(select=selector, states=state, group=group or "", limit=limit)
    session.show(
        nodes,
        lines=[_line(each) for each in nodes],
        empty="No such nodes: `ganglion node token NAME` makes a token for one.",
    )


@hub_command(app, "show")
def show_node(session: Session, name: Name) -> None:
    """Show what a node serves and should serve, and its records.

    Example: ganglion node show gate-1
    """
    node_diagnosis.show_node(session, name)


@hub_command(app, "rekey")
def rekey_node(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Name of the node; without, the one in --data.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data directory of the node on this machine.")] = None,
    select: node_many.Select = None,
    dry_run: node_many.DryRun = False,
    yes: node_many.Yes = False,
    reason: node_many.Reason = "",
) -> None:
    """Give a node a new key.

    A copy of its disk from before is worth nothing then.

    With a name or --select, the hub asks the nodes, which do it at their next contact. Without, the node on this
    machine does it.

    Example: ganglion node rekey gate-1
    """
    if name is None and select is None:
        node_local.rekey_here(data, session.config)
        return
    node_many.decide(session, "rekey", name, select=select, dry_run=dry_run, yes=yes, reason=reason)


def _answering(model: "ModelOnNode") -> str:
    """Return which version answers, or which ones share the requests."""
    shared = "+".join(f"{version}={share:.0%}" for version, share in sorted(model.shares.items()))
    return shared or model.version or "-"


def _line(view: "NodeView") -> NodeLine:
    return NodeLine(
        name=view.name,
        site=view.site,
        zone=view.zone,
        state=view.state,
        health=view.health,
        last_seen_at_s=view.last_seen_at_s,
        labels=",".join(f"{key}={value}" for key, value in view.labels.items()),
        models=[f"{each.model}:{_answering(each)}" for each in view.models],
        waiting=view.waiting,
        stored=view.stored,
    )
