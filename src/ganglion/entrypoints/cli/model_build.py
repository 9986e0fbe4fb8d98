"""`ganglion model build`: anybody's ONNX file becomes a package, with defaults where the file itself says enough."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ganglion.adapters.onnxruntime import OnnxEngine, OnnxRuntime, describe
from ganglion.adapters.package_files import write_package
from ganglion.core import steps, strict_json
from ganglion.core.errors import Conflict, InvalidRequest, ModelFailed, NotFound
from ganglion.core.ids import ModelName, Variant, Version, parse_name
from ganglion.core.manifest import Arch, Classification, Limits, Lineage, Manifest, Target, TensorSpec
from ganglion.core.steps import DATATYPES, Softmax, Step, Tensors
from ganglion.entrypoints import local_packages
from ganglion.entrypoints.cli import model_golden
from ganglion.factory.steps.assemble import assemble, empty_golden

_MODEL_BYTES_MAX = 2_000_000_000
_SCORES_NDIM = 2
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What the command line said. Files that were not given are None."""

    model_file: Path
    name: str
    version: str
    variant: str
    arch: Arch
    labels_file: Path | None = None
    golden_file: Path | None = None
    preprocess_file: Path | None = None
    postprocess_file: Path | None = None
    prediction: str = ""
    softmax: bool = False
    tolerance: float = 1e-4
    batch_max: int = 64


def build(request: BuildRequest, directory: Path) -> tuple[Manifest, list[str]]:
    """Write the package `directory`, and return its manifest and remarks for the user.

    Raises: NotFound, Conflict, InvalidName, InvalidRequest, InvalidPackage, CheckFailed, DiskUnusable. Nothing is left.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Conflict(f"{directory} exists and is not empty: a package is never changed; choose another directory")
    if not request.model_file.is_file():
        raise NotFound(f"there is no file {request.model_file}")
    if request.model_file.stat().st_size > _MODEL_BYTES_MAX:
        raise InvalidRequest(f"{request.model_file} is larger than {_MODEL_BYTES_MAX} bytes")
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch:
        # Alone in a folder, as in the package: a model that keeps its weights in other files fails here.
        alone = Path(scratch, "model.onnx")
        shutil.copyfile(request.model_file, alone)
        return _build(request, alone, directory)


def _build(request: BuildRequest, model: Path, directory: Path) -> tuple[Manifest, list[str]]:
    declared, _ = describe(model)
    engine = OnnxRuntime().load(model, threads=1)
    golden = model_golden.inputs(declared, request.golden_file, is_described=request.preprocess_file is not None)
    draft = _draft(request, golden.specs)
    draft = _with_outputs(draft, _outputs(draft, engine, golden), request, describe(model)[1])
    content = assemble(draft, model.read_bytes(), engine, golden.tensors)
    write_package(directory, content.manifest, content.files)
    remarks = [] if request.golden_file else ["golden inputs are made up; real ones prove more: --golden INPUTS.npz"]
    if content.manifest.prediction is None:
        remarks.append("no prediction is declared, so records will hold no labels: see --prediction and --labels")
    return content.manifest, remarks


def _draft(request: BuildRequest, inputs: tuple[TensorSpec, ...]) -> Manifest:
    return Manifest(
        name=ModelName(parse_name(request.name, what="model")),
        version=Version(parse_name(request.version, what="version")),
        variant=Variant(parse_name(request.variant, what="variant")),
        target=Target(arch=request.arch, precision=request.variant),
        inputs=inputs,
        outputs=(),
        labels=_labels(request.labels_file),
        preprocess=_steps(request.preprocess_file),
        postprocess=_steps(request.postprocess_file),
        limits=Limits(batch_max=request.batch_max),
        golden=empty_golden(absolute_tolerance=request.tolerance),
        lineage=Lineage(code=f"ganglion {local_packages.release()}"),
        members={},
    )


def _outputs(draft: Manifest, engine: OnnxEngine, golden: model_golden.GoldenInputs) -> Tensors:
    try:
        outputs = engine.infer(steps.apply(draft.preprocess, golden.tensors))
    except (InvalidRequest, ModelFailed) as error:
        if golden.are_made_up:
            hint = "give inputs that it does run on with --golden INPUTS.npz"
            raise InvalidRequest(f"the model does not run on made-up inputs: {hint}. {error.message}") from error
        raise
    return steps.apply(draft.postprocess, outputs)


def _with_outputs(
    draft: Manifest, outputs: Tensors, request: BuildRequest, declared: tuple[TensorSpec, ...]
) -> Manifest:
    """Declare the outputs as they came out, and the prediction that they allow."""
    shapes = {spec.name: spec.shape for spec in declared}
    specs = tuple(_output_spec(name, tensor, shapes.get(name, ())) for name, tensor in outputs.items())
    draft = msgspec.structs.replace(draft, outputs=specs)
    name = request.prediction or _only_scores(specs, draft.labels)
    if not name:
        if request.softmax:
            raise InvalidRequest("--softmax needs an output: name it with --prediction")
        return draft
    return _with_prediction(draft, outputs, name, softmax=request.softmax)


def _output_spec(name: str, tensor: steps.Tensor, declared: tuple[int, ...]) -> TensorSpec:
    """A size that the file leaves open stays open, if postprocessing kept the rank."""
    shape = declared if len(declared) == tensor.ndim else tensor.shape
    fixed = tuple(size if size in (-1, actual) else actual for size, actual in zip(shape, tensor.shape, strict=True))
    return TensorSpec(name, DATATYPES[tensor.dtype], fixed)


def _only_scores(specs: tuple[TensorSpec, ...], labels: tuple[str, ...]) -> str:
    """Return the one output [N, classes] of floats that fits the labels, if it is the only one."""
    fitting = [
        spec.name
        for spec in specs
        if spec.datatype.startswith("FP") and len(spec.shape) == _SCORES_NDIM and spec.shape[1] in (-1, len(labels))
    ]
    return fitting[0] if labels and len(fitting) == 1 else ""


def _with_prediction(draft: Manifest, outputs: Tensors, name: str, *, softmax: bool) -> Manifest:
    if name not in outputs:
        raise InvalidRequest(f"there is no output {name!r}; the model has {', '.join(outputs)}")
    scores = outputs[name]
    if scores.ndim != _SCORES_NDIM or scores.dtype.kind != "f":
        raise InvalidRequest(f"output {name!r} is {scores.dtype} {list(scores.shape)}, a prediction needs [N, classes]")
    if draft.labels and scores.shape[1] != len(draft.labels):
        raise InvalidRequest(f"output {name!r} has {scores.shape[1]} classes, there are {len(draft.labels)} labels")
    if not softmax and not bool(np.all((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING))):
        raise InvalidRequest(f"output {name!r} is no probability (it leaves [0, 1]); with logits use --softmax")
    postprocess = (*draft.postprocess, Softmax(name)) if softmax else draft.postprocess
    return msgspec.structs.replace(draft, postprocess=postprocess, prediction=Classification(output=name))


def _labels(file: Path | None) -> tuple[str, ...]:
    """Read one label per line."""
    if file is None:
        return ()
    labels = tuple(line.strip() for line in _read(file).decode("utf-8", errors="replace").splitlines() if line.strip())
    if not labels or len(set(labels)) != len(labels):
        raise InvalidRequest(f"{file} must hold one label per line, each once")
    return labels


def _steps(file: Path | None) -> tuple[Step, ...]:
    """Read a JSON list of steps."""
    if file is None:
        return ()
    document = strict_json.loads(_read(file), what=str(file))
    try:
        return msgspec.convert(document, tuple[Step, ...])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{file}: {error}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from error
