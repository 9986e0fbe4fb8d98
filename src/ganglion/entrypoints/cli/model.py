"""`ganglion model`: make packages, prove them, train and retrain, and hand them to a hub."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.extras import needs_extra
from ganglion.entrypoints.cli.output import Output, OutputFormat, emit, note

app = typer.Typer(no_args_is_help=True)

Package = Annotated[Path, typer.Argument(help="A package: its directory, or its single file.")]
PackageOrFile = Annotated[Path, typer.Argument(help="A package in either form, or a model file.")]
HeldOut = Annotated[Path | None, typer.Option("--held-out", help="Data file (.npz) to judge on; never trained on.")]
Seed = Annotated[int, typer.Option(help="The same seed and rows give the same model.")]
Budget = Annotated[float, typer.Option(help="Accuracy that INT8 may lose, as a share.")]
Optimise = Annotated[bool, typer.Option("--int8/--no-int8", help="Try INT8, and keep it if it is worth it.")]


_MODEL_HELP = "ONNX file with its weights inside, TFLite file, or OpenVINO .xml with its .bin beside it."
_TOLERANCE_HELP = "How far an engine's outputs may deviate; by default 0.0001, or 2 for quantised outputs."
_OFFLINE_HELP = "Seconds without contact after which a node stops serving the model; 0: never."
_PROVIDER_HELP = "cpu, cuda, tensorrt, gpu or npu; several in order of preference. The default is cpu."


class ArchChoice(StrEnum):
    """The architectures that a variant can be built for."""

    ANY = "any"
    X86_64 = "x86_64"
    AARCH64 = "aarch64"


@app.callback()
def model() -> None:
    """Build, prove, train and release model versions."""


@app.command("build")
def build(
    model_file: Annotated[Path, typer.Argument(metavar="MODEL", help=_MODEL_HELP)],
    *,
    name: Annotated[str, typer.Option(help="Name of the model.")],
    version: Annotated[str, typer.Option(help="Version of the model.")],
    directory: Annotated[Path, typer.Option("-d", "--directory", help="Package directory to make.")],
    variant: Annotated[str, typer.Option(help="Variant: what distinguishes this build of the version.")] = "fp32",
    arch: Annotated[ArchChoice, typer.Option(help="Architecture that the variant is for.")] = ArchChoice.ANY,
    labels: Annotated[Path | None, typer.Option(help="Text file with one label per line, in output order.")] = None,
    golden: Annotated[Path | None, typer.Option(help=".npz with an array per input: known-good inputs.")] = None,
    preprocess: Annotated[Path | None, typer.Option(help="JSON list of steps before the model.")] = None,
    postprocess: Annotated[Path | None, typer.Option(help="JSON list of steps after the model.")] = None,
    prediction: Annotated[str, typer.Option(help="Output [N, classes] that yields label and confidence.")] = "",
    softmax: Annotated[bool, typer.Option("--softmax", help="The prediction's output holds logits.")] = False,
    tolerance: Annotated[float | None, typer.Option(help=_TOLERANCE_HELP)] = None,
    batch_max: Annotated[int, typer.Option(help="Most rows in one request.", min=1, max=65536)] = 64,
    batching: Annotated[str, typer.Option(help="Advise to answer requests together: ROWS[:DELAY_US].")] = "",
    runtime: Annotated[str, typer.Option(help="onnxruntime, openvino or litert; by default the file's own.")] = "",
    offline_max_s: Annotated[int, typer.Option(help=_OFFLINE_HELP, min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Threads of one request; 0: as the node is set.", min=0, max=256)] = 0,
    provider: Annotated[list[str] | None, typer.Option(help=_PROVIDER_HELP)] = None,
    memory_arena: Annotated[bool, typer.Option(help="Keep freed memory for the next request.")] = True,
    pack: Annotated[Path | None, typer.Option("--pack", help="Write the single-file form too.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a package from a model file. What is not said is read from the file.

    Example: ganglion model build gate.onnx --name gate --version 1 --labels gate.txt -d ./gate-1 --pack gate-1.ganglion
    """
    from ganglion.adapters.package_files import pack as pack_directory
    from ganglion.entrypoints.cli import model_build, model_views, serve_options

    request = model_build.BuildRequest(
        model_file,
        name,
        version,
        variant,
        arch.value,
        labels_file=labels,
        golden_file=golden,
        preprocess_file=preprocess,
        postprocess_file=postprocess,
        prediction=prediction,
        softmax=softmax,
        tolerance=tolerance,
        batch_max=batch_max,
        batching=serve_options.advice_of(batching),
        offline_s_max=offline_max_s,
        runtime=runtime,
        options=model_build.options(threads=threads, providers=provider or ["cpu"], memory_arena=memory_arena),
    )
    manifest, remarks = model_build.build(request, directory)
    for remark in remarks:
        note(remark)
    if pack:
        pack_directory(directory, pack)
    emit(model_views.package_view(manifest), output)


@app.command("inspect")
def inspect(path: PackageOrFile, output: Output = OutputFormat.TABLE) -> None:
    """Show what a package takes and gives, and where it came from. Every hash is checked first.

    Example: ganglion model inspect gate-1.ganglion
    """
    from ganglion.entrypoints.cli import model_views
    from ganglion.entrypoints.models.bare_models import open_model

    with open_model(path) as package:
        emit(model_views.package_view(package.manifest), output)


@app.command("verify")
def verify(
    path: PackageOrFile,
    sandbox: Annotated[bool, typer.Option(help="Load it in a process with limits of time and memory.")] = True,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Prove a package on this machine, as a node would.

    Every hash and the model file are checked, then it is loaded and runs its golden inputs.

    Example: ganglion model verify gate-1.ganglion
    """
    from ganglion.core.errors import CheckFailed
    from ganglion.entrypoints.cli import model_verify, model_views
    from ganglion.entrypoints.models.bare_models import open_model

    with open_model(path) as package:
        result, trial = model_verify.verify(package, sandbox=sandbox)
        if not result.passed:
            raise CheckFailed(f"{path} does not give its golden outputs here: {result.reason}")
        emit(model_views.proof_view(package.manifest, result, trial), output)


@app.command("example")
def example(path: PackageOrFile) -> None:
    """Print a request that the model answers, as JSON.

    It follows the Open Inference Protocol, and is a golden row of a package; for a model file it is made up.

    Example: ganglion model example ./gate-1
    """
    from ganglion.entrypoints.models.bare_models import open_model
    from ganglion.entrypoints.models.example_request import example_request

    with open_model(path) as package:
        typer.echo(example_request(package), nl=False)


@app.command("train")
def train(
    rows: Annotated[Path, typer.Argument(metavar="ROWS.npz", help="Data file: x [rows, ...] and y [rows].")],
    *,
    name: Annotated[str, typer.Option(help="Name of the model.")],
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    directory: Annotated[Path, typer.Option("-d", "--directory", help="Where the package file goes.")] = Path(),
    held_out: HeldOut = None,
    input_name: Annotated[str, typer.Option("--input", help="Name of the input tensor.")] = "pixels",
    scale: Annotated[float, typer.Option(help="Factor that brings values near [0, 1], as 0.0625 or 0.00392.")] = 1.0,
    image: Annotated[str, typer.Option(metavar="HxW", help="Rows are grey images of this size.")] = "",
    hidden: Annotated[str, typer.Option(help="Units of the hidden layers.")] = "512,512",
    seed: Seed = 0,
    budget: Budget = 0.02,
    int8: Optimise = True,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Train a classifier, quantise it if that pays, and package it.

    Without --held-out a fifth of the rows is held out. Needs the extra `factory`.

    Example: ganglion model train digits.npz --name meter --scale 0.0625 --image 8x8
    """
    with needs_extra("factory", "training"):
        from ganglion.entrypoints import learning
        from ganglion.entrypoints.cli import model_learn, model_views

    trained = learning.train_version(
        name,
        version,
        model_learn.read_rows(rows),
        directory=directory,
        held_out=model_learn.read_rows(held_out) if held_out else None,
        inputs=model_learn.input_settings(input_name, scale, image),
        settings=model_learn.settings(hidden=hidden, seed=seed, budget=budget, optimise=int8),
        progress=note,
    )
    emit(model_views.learning_view(trained), output)


@hub_command(app, "retrain")
def retrain(
    session: Session,
    current: Annotated[str, typer.Argument(metavar="MODEL[:VERSION]", help="Released version, or a package's path.")],
    *,
    dataset: Annotated[str, typer.Option(metavar="NAME[:VERSION]", help="Labelled data set of the hub.")],
    base: Annotated[Path, typer.Option(help="Data file that the model was trained on.")],
    held_out: Annotated[Path, typer.Option("--held-out", help="Data file to judge both versions on.")],
    version: Annotated[str, typer.Option(help="Version to make.", show_default="the next number")] = "",
    directory: Annotated[Path, typer.Option("-d", "--directory", help="Where the package file goes.")] = Path(),
    hidden: Annotated[str, typer.Option(help="Units of the hidden layers.")] = "512,512",
    seed: Seed = 0,
    budget: Budget = 0.02,
    int8: Optimise = True,
    tolerance: Annotated[float, typer.Option(help="Accuracy that the new version may lose, as a share.")] = 0.02,
) -> None:
    """Make the next version with the labels that came back.

    It is written only if it is as good as the current one; both are judged on the same held-out rows. Needs the
    extra `factory`.

    Example: ganglion model retrain meter --dataset meter-labels --base digits.npz --held-out held.npz
    """
    with needs_extra("factory", "retraining"):
        from ganglion.entrypoints.cli import model_learn, model_views

    settings = model_learn.settings(hidden=hidden, seed=seed, budget=budget, optimise=int8, accuracy_loss_max=tolerance)
    files = model_learn.RetrainFiles(model_learn.read_rows(base), model_learn.read_rows(held_out), directory)
    trained = model_learn.retrain(session.client, (current, dataset), version, files=files, settings=settings)
    session.show(model_views.learning_view(trained))


@hub_command(app, "publish")
def publish(
    session: Session,
    path: Package,
    *,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sign here, with the model's key, where the hub does not have it."),
    ] = None,
) -> None:
    """Release a package on the hub. The hub checks it again, keeps it and signs it; nodes take it by a rollout.

    With --key the model's role is signed on this machine, and the hub never sees the key.

    Example: ganglion model publish gate-1.ganglion
    """
    from ganglion.core.errors import InvalidRequest
    from ganglion.entrypoints.cli import model_signing
    from ganglion.entrypoints.models.bare_models import is_model_file
    from ganglion.entrypoints.models.local_packages import as_file

    if is_model_file(path):
        raise InvalidRequest(
            f"{path} is a model file; `ganglion model build` makes a package of it, with golden inputs"
        )
    with as_file(path) as file:
        if key:
            model_signing.sign_and_offer(session, file, key)
        session.show(session.client.release(file))


@hub_command(app, "list")
def list_releases(
    session: Session, name: Annotated[str, typer.Option("--model", help="Only this model's.")] = ""
) -> None:
    """List released versions, newest first.

    Example: ganglion model list
    """
    columns = ("model", "version", "variant", "arch", "size_bytes", "released_at_s", "parent", "metrics")
    releases = session.client.releases(name or None)
    session.show(releases, columns=columns, empty="Nothing is released yet: `ganglion model publish PACKAGE` does it.")
