"""`ganglion sample`: look at the inputs that nodes kept, and say what they are."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note
from ganglion.entrypoints.cli.shading import shaded

if TYPE_CHECKING:
    from ganglion.wire.resources import LabelRequest

app = typer.Typer(no_args_is_help=True)

Model = Annotated[str | None, typer.Option("--model", help="Only samples of this model.")]
Node = Annotated[str | None, typer.Option("--node", help="Only samples of this node.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only samples that were kept for it: random, …")]
Unlabelled = Annotated[bool, typer.Option("--unlabelled", help="Only samples that nobody has labelled.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many, the newest first.")]
_COLUMNS = ("sample_id", "node", "at_s", "model", "version", "reason", "prediction", "confidence", "label")
"""What a table has of a sample: everything but its inputs."""


@app.callback()
def sample() -> None:
    """Look at inputs that nodes kept, and label them."""


@hub_command(app, "list")
def list_samples(
    session: Session,
    model: Model = None,
    node: Node = None,
    *,
    reason: Reason = None,
    unlabelled: Unlabelled = False,
    limit: Limit = 100,
) -> None:
    """List kept inputs, newest first.

    Example: ganglion sample list --unlabelled --reason random --limit 20
    """
    samples = session.client.samples(model=model, node=node, reason=reason, unlabelled=unlabelled, limit=limit)
    session.show(
        samples,
        columns=_COLUMNS,
        empty="No samples: nodes keep inputs that their model is unsure of, and a small random share.",
    )


@hub_command(app, "show")
def show_sample(session: Session, sample_id: Annotated[str, typer.Argument(help="Sample to show.")]) -> None:
    """Show one sample. An input that can be an image is drawn.

    Example: ganglion sample show SAMPLE_ID
    """
    found = session.client.sample(sample_id)
    session.show(found, columns=_COLUMNS)
    if session.output is OutputFormat.TABLE:
        for name, tensor in found.inputs.items():
            typer.echo(f"\n{name}  {tensor.datatype}  {tensor.shape}\n{shaded(tensor)}")


@hub_command(app, "label")
def label_samples(
    session: Session,
    sample_id: Annotated[str | None, typer.Argument(help="Sample to label.")] = None,
    label: Annotated[str | None, typer.Argument(help="What it is.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="CSV with the columns sample_id and label.")] = None,
) -> None:
    """Say what a sample is, or what all samples of a CSV file are. The newest label of a sample counts.

    Example: ganglion sample label SAMPLE_ID 7
    """
    from ganglion.wire.resources import LabelsReply

    labels = _labels(sample_id, label, file)
    session.show(LabelsReply(session.client.label(labels) if labels else 0))


@hub_command(app, "export")
def export_samples(
    session: Session,
    model: Model = None,
    node: Node = None,
    *,
    reason: Reason = None,
    unlabelled: Unlabelled = False,
    limit: Limit = 1000,
) -> None:
    """Print samples as CSV, for labels to be filled in.

    `ganglion sample label -f` takes the file back. With -o, print them whole, inputs included.

    Example: ganglion sample export --unlabelled
    """
    from ganglion.entrypoints.cli.label_files import write_samples

    samples = session.client.samples(model=model, node=node, reason=reason, unlabelled=unlabelled, limit=limit)
    if session.output is OutputFormat.TABLE:
        write_samples(samples, sys.stdout)
        note(f"{len(samples)} samples")
    else:
        session.show(samples)


def _labels(sample_id: str | None, label: str | None, file: Path | None) -> "list[LabelRequest]":
    from ganglion.entrypoints.cli.label_files import read_labels
    from ganglion.wire.resources import LabelRequest

    if file is not None and sample_id is None:
        return read_labels(file)
    if file is None and sample_id is not None and label is not None:
        return [LabelRequest(sample_id, label)]
    raise InvalidRequest("give SAMPLE_ID and LABEL, or a file with -f")
