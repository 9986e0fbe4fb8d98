"""`ganglion node settings`, `ask` and `asked`: what nodes are told beside models."""

from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

Name = Annotated[str, typer.Argument(help="Name of the node.")]
_FLEET, _SITE, _NODE = "fleet", "site", "node"


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion node`."""
    for name, function in (("settings", settings), ("ask", ask), ("asked", asked)):
        hub_command(app, name)(function)


def settings(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Name of the node.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Change a site's settings.")] = None,
    fleet: Annotated[bool, typer.Option("--fleet", help="Change the whole fleet's settings.")] = False,
    put: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE to set. Repeatable.")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="KEY to leave open. Repeatable.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show defaults too.")] = False,
) -> None:
    """Show a node's settings and who chose them, or change some.

    A node's own setting wins over its site's, and that over the fleet's.

    Example: ganglion node settings gate-1 --set collection.random_share=0.05
    """
    scope, target = _place(name, site, fleet=fleet)
    if put or unset:
        document = session.client.change_settings(scope, target, put=dict(map(_pair, put or ())), unset=unset or ())
        if scope != _NODE:
            session.show(document)
            return
    if scope != _NODE:
        raise InvalidRequest("settings are shown for a node: give its name, or --set something")
    view = session.client.node_settings(target)
    lines = [line for line in view.settings if explain or line.source != "default"]
    session.show(view, lines=lines, empty="Everything is at its default; --explain shows it.")


def ask(
    session: Session,
    name: Name,
    what: Annotated[str, typer.Argument(help="report, or collect.")],
    count: Annotated[int, typer.Option("--count", min=0, help="collect: how many inputs to keep.")] = 0,
    expires: Annotated[float, typer.Option("--expires", help="Seconds until it is not wanted any more.")] = 3600.0,
) -> None:
    """Ask a node once: to report, or to keep its next inputs.

    Example: ganglion node ask gate-1 collect --count 20
    """
    from ganglion.wire.node_resources import CommandRequest

    session.show(session.client.command(name, CommandRequest(what, count=count, expires_in_s=expires)))
    if session.output is OutputFormat.TABLE:
        note(f"`ganglion node asked {name}` tells what came of it")


def asked(session: Session, name: Name) -> None:
    """List what a node was asked to do lately, and what came of it.

    Example: ganglion node asked gate-1
    """
    session.show(session.client.commands(name), empty="Nothing was asked of it lately.")


def _place(name: str | None, site: str | None, *, fleet: bool) -> tuple[str, str]:
    places = [(_NODE, name)] * (name is not None) + [(_SITE, site)] * (site is not None) + [(_FLEET, "")] * fleet
    if len(places) != 1:
        raise InvalidRequest("give one of NODE, --site SITE and --fleet")
    ((scope, target),) = places
    return scope, target or ""


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidRequest(f"--set {text!r} should read KEY=VALUE")
    return key, value
