"""`ganglion node settings`, `ask` and `asked`: what nodes are told beside models."""

from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli import node_many
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

Name = Annotated[str, typer.Argument(help="Name of the node.")]
_FLEET, _GROUP, _SITE, _NODE = "fleet", "group", "site", "node"


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion node`."""
    for name, function in (("settings", settings), ("ask", ask), ("asked", asked)):
        hub_command(app, name)(function)


def settings(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Name of the node.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Change a site's settings.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Change a group's settings.")] = None,
    fleet: Annotated[bool, typer.Option("--fleet", help="Change the whole fleet's settings.")] = False,
    put: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE to set. Repeatable.")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="KEY to leave open. Repeatable.")] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", help="A group's, among others: the higher wins.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show defaults, and what was overridden.")] = False,
) -> None:
    """Show a node's settings and who chose them, or change some.

    A node's own setting wins over its site's, that over its groups', and that over the fleet's. Of several groups the
    one with the higher --priority wins; where that is equal, the one whose name comes later.

    Example: ganglion node settings gate-1 --set collection.random_share=0.05
    """
    scope, target = _place(name, site, group, fleet=fleet)
    if put or unset or priority is not None:
        document = session.client.change_settings(
            scope, target, put=dict(map(_pair, put or ())), unset=unset or (), priority=priority
        )
        if scope != _NODE:
            session.show(document)
            return
    if scope != _NODE:
        raise InvalidRequest("settings are shown for a node: give its name, or --set something")
    view = session.client.node_settings(target)
    lines = [line for line in view.settings if explain or line.source != "default"]
    columns = None if explain else ("key", "value", "source")
    session.show(view, lines=lines, columns=columns, empty="Everything is at its default; --explain shows it.")
    if session.output is OutputFormat.TABLE and view.told:
        note(f"the node says: {view.told}")


def ask(
    session: Session,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NODE] WHAT [KEY=VALUE]...",
            help="Name of the node, and report, collect, sync, restart-serving or an action of the envelope.",
        ),
    ],
    count: Annotated[int, typer.Option("--count", min=0, help="collect: how many inputs to keep.")] = 0,
    expires: Annotated[float, typer.Option("--expires", help="Seconds until it is not wanted any more.")] = 3600.0,
    select: node_many.Select = None,
    dry_run: node_many.DryRun = False,
    yes: node_many.Yes = False,
) -> None:
    """Ask a node to do something once.

    To report, to keep its next inputs, or to run a named action, with what that takes. With --select every node that
    is selected is asked.

    Example: ganglion node ask gate-1 collect --count 20
    """
    from ganglion.wire.fleet_resources import NodeActionRequest
    from ganglion.wire.node_resources import CommandRequest

    plain = [word for word in words if "=" not in word]
    arguments = [word for word in words if "=" in word]
    if len(plain) != 1 + (select is None):
        raise InvalidRequest("give the name of a node and what to ask, or --select SELECTOR and what to ask")
    *names, what = plain
    if select is not None:
        wish = NodeActionRequest(
            action="ask", select=select, command=what, count=count, expires_in_s=expires, dry_run=dry_run,
            arguments=arguments,
        )  # fmt: skip
        node_many.act(session, wish, yes=yes)
        return
    (name,) = names
    request = CommandRequest(what, count=count, expires_in_s=expires, arguments=arguments)
    session.show(session.client.command(name, request))
    if session.output is OutputFormat.TABLE:
        note(f"`ganglion node asked {name}` tells what came of it")


def asked(session: Session, name: Name) -> None:
    """List what a node was asked, and what came of it.

    Example: ganglion node asked gate-1
    """
    session.show(session.client.commands(name), empty="Nothing was asked of it lately.")


def _place(name: str | None, site: str | None, group: str | None, *, fleet: bool) -> tuple[str, str]:
    named = ((_NODE, name), (_SITE, site), (_GROUP, group), (_FLEET, "" if fleet else None))
    places = [(scope, target) for scope, target in named if target is not None]
    if len(places) != 1:
        raise InvalidRequest("give one of NODE, --site SITE, --group GROUP and --fleet")
    return places[0]


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidRequest(f"--set {text!r} should read KEY=VALUE")
    return key, value
