"""Compose training and retraining: rows in, a package file and a report out. Used by the CLI and by the demo.

Rows to train on that also stand in the held-out data are dropped, by the hash of their values, and
counted in the report: so the held-out rows can stay the same from version to version.
Importing this module needs the extra `factory`.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ganglion.adapters.onnxruntime import OnnxRuntime
from ganglion.adapters.package_files import pack, write_package
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import InvalidRequest, NotGoodEnough
from ganglion.core.ids import ModelName, Version, parse_name
from ganglion.core.manifest import Lineage, Manifest, TensorSpec
from ganglion.core.steps import Scale, Step
from ganglion.entrypoints.models import local_packages
from ganglion.factory.domain import promotion, rows
from ganglion.factory.domain.evaluation import PairedComparison, compare
from ganglion.factory.domain.ladder import Choice
from ganglion.factory.domain.promotion import PromotionSettings, next_version
from ganglion.factory.domain.rows import LabelledRows
from ganglion.factory.steps.dataset import LabelledDataset, dataset_rows
from ganglion.factory.steps.evaluate import evaluate
from ganglion.factory.steps.variants import Bench
from ganglion.factory.steps.version import Made, Order, VersionSettings, make
from ganglion.wire.resources import DatasetManifest

__all__ = [
    "InputSettings",
    "LabelledDataset",
    "LearningReport",
    "LearningSettings",
    "TrainedVersion",
    "retrain_version",
    "train_version",
]

PACKAGE_SUFFIX = ".ganglion"


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What clients send to a model that is trained from rows."""

    name: str = "pixels"
    """Name of the input tensor, FP32 [N, features]."""

    scale: float = 1.0
    """Factor that brings the values near [0, 1]; it becomes a preprocessing step of the package."""

    image: tuple[int, int] | None = None
    """Height and width, when a row can be shown to people as a grey image."""


class LearningSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How versions are made and judged."""

    version: VersionSettings = VersionSettings()
    """Training, optimisation and packaging."""

    promotion: PromotionSettings = PromotionSettings()
    """What a retrained model must show."""

    held_out_share: float = 0.2
    """Share of the rows that is held out when no held-out data is given."""


@dataclass(frozen=True, slots=True)
class LearningReport:
    """How a version was made. `comparison` and `promotion` are there after retraining."""

    training_rows: int
    dropped_rows: int
    """Rows that were not trained on because they stand in the held-out data."""
    judged_rows: int
    accuracy: float
    """On the judged rows: the part of the held-out rows that chose nothing."""
    package_bytes: int
    choice: Choice
    comparison: PairedComparison | None = None
    promotion: str = ""


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A new version: its single-file package, what the package says, and how it was made."""

    package_file: Path
    manifest: Manifest
    report: LearningReport


Progress = Callable[[str], None]


def train_version(
    model: str,
    version: str,
    data: LabelledRows,
    *,
    directory: Path,
    held_out: LabelledRows | None = None,
    inputs: InputSettings | None = None,
    settings: LearningSettings | None = None,
    progress: Progress | None = None,
) -> TrainedVersion:
    """Train the first version of a model and write its package file below `directory`.

    Raises: InvalidRequest: the rows cannot be trained on. CheckFailed, DiskUnusable.
    """
    settings = settings or LearningSettings()
    if held_out is None:
        data, held_out = rows.split(data, settings.held_out_share, salt="held-out")
    spec, preprocess = _interface(inputs or InputSettings(), features=data.x.shape[1])
    training = rows.without(data, held_out)
    order = Order(
        model=ModelName(parse_name(model, what="model")),
        version=Version(parse_name(version, what="version")),
        input=spec,
        preprocess=preprocess,
        lineage=Lineage(data=rows.digest(training), code=_code()),
    )
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch:
        made = make(order, training, held_out, _bench(Path(scratch), progress), settings.version)
        file = _write(made.content.manifest, made, Path(scratch), directory)
    return TrainedVersion(file, made.content.manifest, _report(made, file, training, len(data) - len(training)))


def retrain_version(
    current: Path,
    base: LabelledRows,
    dataset: LabelledDataset,
    *,
    held_out: LabelledRows,
    directory: Path,
    version: str = "",
    settings: LearningSettings | None = None,
    progress: Progress | None = None,
) -> TrainedVersion:
    """Make the next version from the base rows and a labelled data set, if it is as good as the current package.

    Without `version` the current number is raised by one. Both are judged on the same held-out rows.
    Raises: NotGoodEnough: the new model is worse; nothing was written. InvalidRequest, InvalidPackage, DiskUnusable.
    """
    settings = settings or LearningSettings()
    with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch, local_packages.open_package(current) as package:
        parent = package.manifest
        added = dataset_rows(dataset, parent, labels=base.labels)
        data = rows.join(base, added)
        training = rows.without(data, held_out)
        order = _next_order(parent, version or next_version(parent.version), training, dataset.manifest)
        made = make(order, training, held_out, _bench(Path(scratch), progress), settings.version)
        comparison = compare(evaluate(package.pipeline(), made.judged), made.evaluation)
        verdict = promotion.decide(comparison, settings.promotion)
        if not verdict.promoted:
            raise NotGoodEnough(f"{parent.name}:{order.version} is not released: {verdict.reason}")
        manifest = _with_metric(made.content.manifest, "parent_accuracy", comparison.reference_accuracy)
        file = _write(manifest, made, Path(scratch), directory)
    report = _report(made, file, training, len(data) - len(training))
    return TrainedVersion(file, manifest, replace(report, comparison=comparison, promotion=verdict.reason))


def _interface(inputs: InputSettings, *, features: int) -> tuple[TensorSpec, tuple[Step, ...]]:
    if inputs.image and inputs.image[0] * inputs.image[1] != features:
        raise InvalidRequest(f"an image of {inputs.image[0]}x{inputs.image[1]} has no {features} values")
    spec = TensorSpec(inputs.name, "FP32", (-1, features), layout="NF", image=inputs.image)
    return spec, (() if inputs.scale == 1.0 else (Scale(inputs.name, inputs.scale),))


def _next_order(parent: Manifest, version: str, training: LabelledRows, dataset: DatasetManifest) -> Order:
    """Clients see no difference between versions: input and preprocessing are the parent's."""
    spec = parent.inputs[0]
    if len(parent.inputs) != 1 or spec.datatype != "FP32" or spec.shape != (-1, training.x.shape[1]):
        raise InvalidRequest(f"{parent.name}:{parent.version} does not take rows of {training.x.shape[1]} numbers")
    if version == parent.version:
        raise InvalidRequest(f"{parent.name}:{version} is the current version; name another")
    lineage = Lineage(
        data=rows.digest(training),
        code=_code(),
        parent=f"{parent.name}:{parent.version}",
        notes=f"base rows and data set {dataset.name}:{dataset.version}",
    )
    return Order(parent.name, Version(parse_name(version, what="version")), spec, parent.preprocess, lineage)


def _code() -> str:
    return f"ganglion {local_packages.release()}"


def _bench(scratch: Path, progress: Progress | None) -> Bench:
    arch = local_packages.machine_arch()
    return Bench(OnnxRuntime(), SystemClock(), scratch, arch, progress or (lambda _line: None))


def _with_metric(manifest: Manifest, name: str, value: float) -> Manifest:
    lineage = msgspec.structs.replace(manifest.lineage, metrics={**manifest.lineage.metrics, name: value})
    return msgspec.structs.replace(manifest, lineage=lineage)


def _write(manifest: Manifest, made: Made, scratch: Path, directory: Path) -> Path:
    unpacked = scratch / "new"
    write_package(unpacked, manifest, made.content.files)
    file = directory / f"{manifest.name}-{manifest.version}-{manifest.variant}{PACKAGE_SUFFIX}"
    pack(unpacked, file)
    return file


def _report(made: Made, file: Path, training: LabelledRows, dropped_rows: int) -> LearningReport:
    return LearningReport(
        training_rows=len(training),
        dropped_rows=dropped_rows,
        judged_rows=len(made.judged),
        accuracy=made.evaluation.accuracy,
        package_bytes=file.stat().st_size,
        choice=made.choice,
    )
