"""`ganglion group`: names for nodes that belong together."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the group.")]


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group as one line of a table."""

    name: str
    count: int
    select: str | None
    owner: str
    description: str


@app.callback()
def group() -> None:
    """Name nodes that belong together.

    Rollouts, settings, roles, alerts and lists take groups.
    """


@hub_command(app, "create")
def create_group(
    session: Session,
    name: Name,
    select: Annotated[
        str | None,
        typer.Option("--select", "-l", help="Whoever meets this selector, now and later: line=3,site=porto."),
    ] = None,
    nodes: Annotated[str, typer.Option("--nodes", help="These nodes besides, with commas.")] = "",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a group, or say anew who is in it.

    Example: ganglion group create line-3 --select line=3
    """
    from ganglion.wire.fleet_resources import GroupDefinition

    names = [each.strip() for each in nodes.split(",") if each.strip()]
    definition = GroupDefinition(select=select, nodes=names, description=description)
    session.show(session.client.put_group(name, definition))


@hub_command(app, "list")
def list_groups(session: Session) -> None:
    """List groups, and how many nodes are in each.

    Example: ganglion group list
    """
    views = session.client.groups()
    lines = [GroupLine(each.name, each.count, each.select, each.owner, each.description) for each in views]
    session.show(views, lines=lines, empty="No groups yet: `ganglion group create NAME --select SELECTOR` makes one.")


@hub_command(app, "show")
def show_group(session: Session, name: Name) -> None:
    """Show who is in a group.

    Example: ganglion group show line-3
    """
    session.show(session.client.group(name))


@hub_command(app, "delete")
def delete_group(session: Session, name: Name) -> None:
    """Forget a group. Its nodes stay what they are; a role for the group is then a role for nobody.

    Example: ganglion group delete line-3
    """
    session.client.remove_group(name)
    note(f"{name} is forgotten")
