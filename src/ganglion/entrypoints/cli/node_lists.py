"""`ganglion node export` and `import`: the fleet as a file that people keep."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

File = Annotated[Path, typer.Argument(help="File, .csv (nodes alone) or .json (sites, zones and groups too).")]


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion node`."""
    hub_command(app, "export")(export_fleet)
    hub_command(app, "import")(import_fleet)


def export_fleet(session: Session, file: File) -> None:
    """Write the fleet to a file.

    Names, sites, zones and labels of the nodes; it never holds a secret.

    Example: ganglion node export fleet.csv
    """
    from ganglion.entrypoints.fleet import files as fleet_files

    fleet = session.client.export_fleet()
    fleet_files.write(fleet, file)
    note(f"{len(fleet.nodes)} nodes are in {file}")


def import_fleet(
    session: Session,
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Take labels, sites, zones and groups from a file.

    Enrolled nodes get the labels that it says, and what it declares is declared. All or nothing.

    A name that no node has yet joins with a token: `ganglion node tokens -f FILE.csv`.

    Example: ganglion node import fleet.csv --dry-run
    """
    from ganglion.entrypoints.fleet import files as fleet_files

    reply = session.client.import_fleet(fleet_files.read(file), dry_run=dry_run)
    session.show(reply)
    if reply.unknown and session.output is OutputFormat.TABLE:
        note(f"{len(reply.unknown)} names are of no enrolled node: `ganglion node tokens` makes tokens for them")
