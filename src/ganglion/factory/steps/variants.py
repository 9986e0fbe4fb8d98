"""Build the variants of a trained model, and measure each against the baseline on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ganglion.core import steps
from ganglion.core.ids import Variant
from ganglion.core.manifest import Arch, Manifest
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Step
from ganglion.factory.domain.evaluation import Evaluation, compare
from ganglion.factory.domain.ladder import Attempt
from ganglion.factory.domain.rows import FloatRows, LabelledRows
from ganglion.factory.steps import export
from ganglion.factory.steps.evaluate import evaluate
from ganglion.factory.steps.measure import MeasureSettings, race
from ganglion.factory.steps.quantise import quantise
from ganglion.factory.steps.train import Trained
from ganglion.ports.clock import Clock
from ganglion.ports.runtime import Engine, Runtime

BASELINE, INT8 = Variant("fp32"), Variant("int8")
_CHECKED_ROWS = 64


@dataclass(frozen=True, slots=True)
class Bench:
    """Where steps run: the target's runtime, a clock, a folder for files on the way, and somebody who listens."""

    runtime: Runtime
    clock: Clock
    directory: Path
    arch: Arch
    """What this machine is: a variant that was measured here is for machines like it."""
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """One variant as a file, loaded, and what it said of the rows that choose between variants."""

    path: Path
    manifest: Manifest
    engine: Engine
    evaluation: Evaluation

    @property
    def pipeline(self) -> Pipeline:
        """Return the pipeline of this variant, as the node will run it."""
        return Pipeline(self.manifest, self.engine.infer)


def build_baseline(trained: Trained, draft: Manifest, selection: LabelledRows, bench: Bench) -> Built:
    """Export to ONNX and check the export. Raises: CheckFailed."""
    name = draft.inputs[0].name
    path = bench.directory / f"{BASELINE}.onnx"
    path.write_bytes(export.export(trained.classifier, input_name=name, features=selection.x.shape[1]))
    built = _load(path, draft, selection, bench)
    values = preprocess(draft.preprocess, name, selection.x[:_CHECKED_ROWS])
    export.check_export(built.engine, trained.classifier, input_name=name, rows=values)
    return built


def build_int8(baseline: Built, calibration: LabelledRows, selection: LabelledRows, bench: Bench) -> Built:
    """Quantise the baseline for machines like this one: on another, INT8 may be slower. Raises: CheckFailed."""
    manifest = baseline.manifest
    path, name = bench.directory / f"{INT8}.onnx", manifest.inputs[0].name
    values = preprocess(manifest.preprocess, name, calibration.x)
    quantise(baseline.path, path, [{name: values[row : row + 1]} for row in range(len(values))])
    target = msgspec.structs.replace(manifest.target, precision=str(INT8), arch=bench.arch)
    return _load(path, msgspec.structs.replace(manifest, variant=INT8, target=target), selection, bench)


def alone(baseline: Built) -> Attempt:
    """Return the baseline's rung when nothing runs against it."""
    same = compare(baseline.evaluation, baseline.evaluation)
    return Attempt(baseline.manifest.variant, baseline.path.stat().st_size, same, speed_ratio=1.0)


def against(
    baseline: Built, built: Built, row: FloatRows, bench: Bench, settings: MeasureSettings
) -> tuple[Attempt, Attempt]:
    """Return the rungs of the baseline and of a variant, measured against each other. Shapes: row [1, features]."""
    name = baseline.manifest.inputs[0].name
    feeds = {name: preprocess(baseline.manifest.preprocess, name, row)}
    result = race(baseline.engine, built.engine, feeds, clock=bench.clock, settings=settings)
    attempt = Attempt(
        built.manifest.variant,
        built.path.stat().st_size,
        compare(baseline.evaluation, built.evaluation),
        speed_ratio=result.speed_ratio,
        latency_us=result.candidate_us,
    )
    return replace(alone(baseline), latency_us=result.reference_us), attempt


def preprocess(preprocessing: Sequence[Step], name: str, x: FloatRows) -> FloatRows:
    """Return rows as the model takes them."""
    return steps.apply(preprocessing, {name: x})[name]


def _load(path: Path, manifest: Manifest, selection: LabelledRows, bench: Bench) -> Built:
    engine = bench.runtime.load(path, threads=1)
    return Built(path, manifest, engine, evaluate(Pipeline(manifest, engine.infer), selection))
