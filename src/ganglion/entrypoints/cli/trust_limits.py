"""`ganglion trust limit` and `limits`: what a hub may ask of nodes at most."""

from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.output import Output, OutputFormat

Ceremony = Annotated[Path, typer.Argument(metavar="DIR", help="The ceremony's directory.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion trust`."""
    app.command("limit")(limit)
    app.command("limits")(limits)


def limit(
    directory: Ceremony,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The limits, as TOML or JSON.")],
    *,
    new: Annotated[
        Path | None, typer.Option(metavar="KEY.pub", help="The key that signs them: the first time, or to change it.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Propose what this hub may ask of nodes at most.

    Nodes take wider limits only from here, signed with a key that no hub needs.

    Example: ganglion trust limit ./ceremony limits.toml --new ./keys/warden.pub
    """
    from ganglion.entrypoints.cli import trust_views, trust_work

    trust_work.limit(directory, file, new)
    trust_views.show_proposal(directory, output)


def limits(
    directory: Ceremony,
    *,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show the limits in force, as they were fetched.

    Example: ganglion trust limits ./ceremony
    """
    from ganglion.entrypoints.cli import trust_work
    from ganglion.entrypoints.cli.output import emit

    emit(trust_work.limits_in(directory), output, empty="No envelope: what every node has built in holds.")
