"""`ganglion sample`: look at the inputs that nodes kept, and say what they are."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note
from ganglion.entrypoints.cli.shading import shaded

if TYPE_CHECKING:
    from ganglion.wire.resources import LabelRequest, SampleView

app = typer.Typer(no_args_is_help=True)

Model = Annotated[str | None, typer.Option("--model", help="Only samples of this model.")]
Node = Annotated[str | None, typer.Option("--node", help="Only samples of this node.")]
Unlabelled = Annotated[bool, typer.Option("--unlabelled", help="Only samples that nobody has labelled.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many, the newest first.")]
_SEARCHED = 1000
"""How many of the newest samples `show` looks through."""


@dataclass(frozen=True, slots=True)
class SampleLine:
    """A sample as one line of a table."""

    sample_id: str
    node: str
    at_s: float
    model: str
    version: str
    reason: str
    prediction: str
    confidence: float
    label: str


@app.callback()
def sample() -> None:
    """Look at inputs that nodes kept, and label them."""


@hub_command(app, "list")
def list_samples(
    session: Session, model: Model = None, node: Node = None, unlabelled: Unlabelled = False, limit: Limit = 100
) -> None:
    """List kept inputs, newest first.

    Example: ganglion sample list --unlabelled --limit 20
    """
    samples = session.client.samples(model=model, node=node, unlabelled=unlabelled, limit=limit)
    session.show(
        samples,
        lines=[_line(each) for each in samples],
        empty="No samples: nodes keep inputs that their model is unsure of, and a small random share.",
    )


@hub_command(app, "show")
def show_sample(session: Session, sample_id: Annotated[str, typer.Argument(help="Sample to show.")]) -> None:
    """Show one of the newest samples; an input that can be an image is drawn.

    Example: ganglion sample show SAMPLE_ID
    """
    newest = session.client.samples(limit=_SEARCHED)
    found = next((each for each in newest if each.sample_id == sample_id), None)
    if found is None:
        raise NotFound(f"the sample {sample_id!r} is not among the newest {_SEARCHED}")
    session.show(found, lines=_line(found))
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
    session: Session, model: Model = None, node: Node = None, unlabelled: Unlabelled = False, limit: Limit = 1000
) -> None:
    """Print samples as CSV, to be filled in and given back with `ganglion sample label -f`.

    With -o, print them whole, inputs included.

    Example: ganglion sample export --unlabelled
    """
    from ganglion.entrypoints.cli.label_files import write_samples

    samples = session.client.samples(model=model, node=node, unlabelled=unlabelled, limit=limit)
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


def _line(view: "SampleView") -> SampleLine:
    return SampleLine(
        sample_id=view.sample_id,
        node=view.node,
        at_s=view.at_s,
        model=view.model,
        version=view.version,
        reason=view.reason,
        prediction=view.prediction,
        confidence=view.confidence,
        label=view.label,
    )
