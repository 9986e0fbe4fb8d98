"""`ganglion model build`: anybody's model file becomes a package, with defaults where the file itself says enough."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ganglion.adapters.package_files import write_package
from ganglion.core import engine_options, steps, strict_json
from ganglion.core.batching_rules import BatchingRules
from ganglion.core.engine_options import EngineOptions
from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.core.ids import ModelName, Variant, Version, parse_name
from ganglion.core.manifest import (
    Anomaly,
    Arch,
    Classification,
    Detection,
    Golden,
    Limits,
    Lineage,
    Manifest,
    PredictionRule,
    Target,
    TensorSpec,
)
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import DATATYPES, AnomalyScore, Context, Detect, Softmax, Step, Tensors
from ganglion.entrypoints.cli import model_golden
from ganglion.entrypoints.models import engines, local_packages
from ganglion.factory.steps.assemble import assemble, empty_golden
from ganglion.ports.runtime import DEFAULT_OPTIONS, Engine

_MODEL_BYTES_MAX = 2_000_000_000
_SCORES_NDIM = 2
_ROUNDING = 1e-3
_TOLERANCE = 1e-4
_TOLERANCE_QUANTA = 2.0
"""Quantised outputs are whole numbers, and processors round them differently."""
_QUANTISED = {"INT8", "UINT8"}


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
    tolerance: float | None = None
    batch_max: int = 64
    batching: BatchingRules | msgspec.UnsetType = msgspec.UNSET
    offline_s_max: int = 0
    runtime: str = ""
    options: EngineOptions = DEFAULT_OPTIONS


def options(*, threads: int, providers: Sequence[str], memory_arena: bool) -> EngineOptions:
    """Return what the command line asks of the runtime. Raises: InvalidRequest."""
    document = {"threads": threads, "providers": providers, "memory_arena": memory_arena}
    try:
        return msgspec.convert(document, EngineOptions)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"--provider: {error}") from error


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
        model, *others = _copy(request.model_file, Path(scratch))
        return _build(request, model, others, directory)


def _copy(file: Path, folder: Path) -> list[Path]:
    """Copy the model's file, and the weights of an OpenVINO model after it."""
    copies = [folder / f"model{file.suffix.lower()}"]
    shutil.copyfile(file, copies[0])
    weights = file.with_suffix(engines.WEIGHTS_SUFFIX)
    if engines.runtime_of_file(file) == "openvino" and weights.is_file():
        copies.append(copies[0].with_suffix(engines.WEIGHTS_SUFFIX))
        shutil.copyfile(weights, copies[1])
    return copies


def _build(request: BuildRequest, model: Path, others: Sequence[Path], directory: Path) -> tuple[Manifest, list[str]]:
    target = _target(request)
    engine = engines.load_engine(target, model, threads=1)
    golden = model_golden.inputs(engine.inputs, request.golden_file, _steps(request.preprocess_file))
    draft = _draft(request, golden.specs, target, model.name)
    draft = _with_outputs(draft, _outputs(draft, engine, golden), request, engine.outputs)
    beside = {file.name: file.read_bytes() for file in others}
    content = assemble(draft, model.read_bytes(), engine, golden.tensors, beside=beside)
    write_package(directory, content.manifest, content.files)
    remarks = [] if request.golden_file else ["golden inputs are made up; real ones prove more: --golden INPUTS.npz"]
    if content.manifest.prediction is None:
        remarks.append(
            "no prediction is declared: records will hold no labels, and versions are compared by the form of their"
            " outputs alone: see --prediction and --labels"
        )
    return content.manifest, remarks


def _target(request: BuildRequest) -> Target:
    """Say what the package is for. Raises: InvalidRequest, InvalidPackage: the runtime has no such option."""
    runtime = engines.parse_runtime(request.runtime) if request.runtime else engines.runtime_of_file(request.model_file)
    engine_options.check(request.options, runtime)
    return Target(runtime=runtime, arch=request.arch, precision=request.variant, options=request.options)


def _draft(request: BuildRequest, inputs: tuple[TensorSpec, ...], target: Target, model: str) -> Manifest:
    return Manifest(
        name=ModelName(parse_name(request.name, what="model")),
        version=Version(parse_name(request.version, what="version")),
        variant=Variant(parse_name(request.variant, what="variant")),
        target=target,
        model=model,
        inputs=inputs,
        outputs=(),
        labels=_labels(request.labels_file),
        preprocess=_steps(request.preprocess_file),
        postprocess=_steps(request.postprocess_file),
        limits=Limits(batch_max=request.batch_max, offline_s_max=request.offline_s_max),
        batching=request.batching,
        golden=empty_golden(absolute_tolerance=_TOLERANCE),
        lineage=Lineage(code=f"ganglion {local_packages.release()}"),
        members={},
    )


def _outputs(draft: Manifest, engine: Engine, golden: model_golden.GoldenInputs) -> Tensors:
    context = Context(labels=draft.labels)
    try:
        context.feeds = steps.apply(draft.preprocess, golden.tensors, context)
        outputs = engine.infer(context.feeds)
    except (InvalidRequest, ModelFailed) as error:
        if golden.are_made_up:
            hint = "the inputs were made up; if it needs others, give them with --golden INPUTS.npz"
            raise InvalidRequest(f"{error.message} ({hint})") from error
        raise
    return steps.apply(draft.postprocess, outputs, context)


def _with_outputs(
    draft: Manifest, outputs: Tensors, request: BuildRequest, declared: tuple[TensorSpec, ...]
) -> Manifest:
    """Declare the outputs as they came out, and the prediction that they allow."""
    shapes = {spec.name: spec.shape for spec in declared}
    has_batch = all(spec.has_batch for spec in draft.inputs)
    specs = tuple(_output_spec(name, each, shapes.get(name, ()), has_batch) for name, each in outputs.items())
    draft = msgspec.structs.replace(draft, outputs=specs, golden=_golden(request, specs))
    rule = _rule_of(draft.postprocess)
    if rule is not None and not request.prediction:
        return msgspec.structs.replace(draft, prediction=rule)
    name = request.prediction or _only_scores(specs, draft.labels)
    if not name:
        if request.softmax:
            raise InvalidRequest("--softmax needs an output: name it with --prediction")
        return draft
    return _with_prediction(draft, outputs, name, softmax=request.softmax)


def _golden(request: BuildRequest, outputs: tuple[TensorSpec, ...]) -> Golden:
    is_quantised = all(spec.datatype in _QUANTISED for spec in outputs)
    usual = _TOLERANCE_QUANTA if is_quantised else _TOLERANCE
    return empty_golden(absolute_tolerance=usual if request.tolerance is None else request.tolerance)


def _rule_of(postprocess: tuple[Step, ...]) -> PredictionRule | None:
    """The last step that says what the numbers mean makes the prediction."""
    for step in reversed(postprocess):
        if isinstance(step, Detect):
            return Detection()
        if isinstance(step, AnomalyScore):
            return Anomaly()
    return None


def _output_spec(name: str, tensor: steps.Tensor, declared: tuple[int, ...], has_batch: bool) -> TensorSpec:
    """A size that the file leaves open stays open, if postprocessing kept the rank; so does the batch."""
    shape = declared if len(declared) == tensor.ndim else ((-1,) if has_batch else ()) + tensor.shape[has_batch:]
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
