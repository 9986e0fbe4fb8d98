"""`ganglion node files`: files that nodes should have beside models, such as tables of calibration."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note

app = typer.Typer(no_args_is_help=True)
Fleet = Annotated[bool, typer.Option("--fleet", help="For every node.")]
Group = Annotated[str | None, typer.Option("--group", help="For the nodes of a group.")]
Site = Annotated[str | None, typer.Option("--site", help="For the nodes of a site.")]
Node = Annotated[str | None, typer.Option("--node", help="For one node.")]


@app.callback()
def files() -> None:
    """Give nodes files beside models, such as maps of labels."""


@hub_command(app, "put")
def put_file(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The file.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called on the node; without: as here.")] = None,
    fleet: Fleet = False,
    group: Group = None,
    site: Site = None,
    node: Node = None,
) -> None:
    """Give nodes a file.

    It takes the place of an earlier one of the same name.

    Of several files of one name a node has the one of the narrowest: its own, its site's, a group's, the fleet's.

    Example: ganglion node files put calibration.csv --site porto
    """
    scope, target = _place(group, site, node, fleet=fleet)
    session.show(session.client.put_file(scope, target, name or file.name, file))


@hub_command(app, "list")
def list_files(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Name of a node: what it should have, and has.")] = None,
) -> None:
    """List the files that were declared, or those of one node.

    Example: ganglion node files list gate-1
    """
    found = session.client.node_files(name) if name else session.client.files()
    session.show(found, empty="There are none.")


@hub_command(app, "remove")
def remove_file(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is called on the nodes.")],
    fleet: Fleet = False,
    group: Group = None,
    site: Site = None,
    node: Node = None,
) -> None:
    """Take a file away from nodes.

    A wider one of the same name takes its place.

    Example: ganglion node files remove calibration.csv --site porto
    """
    session.client.remove_file(*_place(group, site, node, fleet=fleet), name)
    note(f"{name} is not wanted there any more")


def _place(group: str | None, site: str | None, node: str | None, *, fleet: bool) -> tuple[str, str]:
    named = (("node", node), ("site", site), ("group", group), ("fleet", "" if fleet else None))
    places = [(scope, target) for scope, target in named if target is not None]
    if len(places) != 1:
        raise InvalidRequest("give one of --fleet, --group GROUP, --site SITE and --node NODE")
    return places[0]
