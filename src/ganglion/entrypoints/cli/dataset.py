"""`ganglion dataset`: freeze labelled samples as versions that a model can be trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the data set.")]


@dataclass(frozen=True, slots=True)
class DatasetPlace:
    """Where a fetched data set lies."""

    directory: str


@app.callback()
def dataset() -> None:
    """Freeze labelled samples as data to train on."""


@hub_command(app, "build")
def build_dataset(
    session: Session, name: Name, model: Annotated[str, typer.Option("--model", help="Model whose samples to take.")]
) -> None:
    """Freeze all labelled samples of a model as the next version.

    Example: ganglion dataset build meters --model digits
    """
    from ganglion.wire.resources import DatasetRequest

    session.show(session.client.build_dataset(DatasetRequest(name=name, model=model)))


@hub_command(app, "list")
def list_datasets(
    session: Session, name: Annotated[str | None, typer.Argument(help="Only versions of this data set.")] = None
) -> None:
    """List data set versions, newest first.

    Example: ganglion dataset list
    """
    session.show(
        session.client.datasets(name),
        empty="No data sets yet: label samples, then `ganglion dataset build NAME --model MODEL`.",
    )


@hub_command(app, "fetch")
def fetch_dataset(
    session: Session,
    name: Name,
    version: Annotated[int, typer.Argument(help="Version of the data set.")],
    to: Annotated[Path | None, typer.Option("--to", help="New directory.", show_default="NAME-VERSION")] = None,
) -> None:
    """Fetch a data set version, and check every digest.

    It is manifest.json, and one .npy file per input, named by its digest.

    Example: ganglion dataset fetch meters 3 --to ./meters-3
    """
    directory = to or Path(f"{name}-{version}")
    session.show(session.client.fetch_dataset(name, version, directory), lines=DatasetPlace(str(directory)))
