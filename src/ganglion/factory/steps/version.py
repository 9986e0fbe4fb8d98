"""Make a model version from rows: train, export, optimise, choose, judge, assemble.

The held-out rows are cut in two: one part chooses between the variants, the other judges the chosen
one. A figure that chose something is never the figure that is reported.
"""

from dataclasses import dataclass

import msgspec

from ganglion.core.errors import CheckFailed, InvalidRequest
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Limits, Lineage, Manifest, Target, TensorSpec
from ganglion.core.steps import Step
from ganglion.factory.domain import ladder, rows
from ganglion.factory.domain.evaluation import Evaluation
from ganglion.factory.domain.ladder import Attempt, Choice, LadderSettings
from ganglion.factory.domain.rows import LabelledRows
from ganglion.factory.steps import variants
from ganglion.factory.steps.assemble import PackageContent, assemble, empty_golden
from ganglion.factory.steps.evaluate import drift_reference, evaluate
from ganglion.factory.steps.export import OUTPUT
from ganglion.factory.steps.input_reference import input_reference
from ganglion.factory.steps.measure import MeasureSettings
from ganglion.factory.steps.train import Trained, TrainSettings, train
from ganglion.factory.steps.variants import Bench, Built

# Engines round differently: an 8-bit step of a probability is 1/255, and a few may add up.
_TOLERANCE = {variants.BASELINE: 1e-4, variants.INT8: 0.05}


class VersionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a version is made."""

    train: TrainSettings = TrainSettings()
    """Training."""

    ladder: LadderSettings = LadderSettings()
    """What an optimised variant must hold."""

    measure: MeasureSettings = MeasureSettings()
    """How latency is compared."""

    optimise: bool = True
    """Try INT8; without, the version is FP32."""

    calibration_rows_max: int = 256
    """Training rows that set the INT8 scales."""

    selection_share: float = 0.5
    """Share of the held-out rows that choose between variants; the others judge the chosen one."""

    golden_rows: int = 16
    """Rows whose outputs every node checks before it switches."""

    batch_max: int = 64
    """Rows that a node takes in one request."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which version to make: its name, what clients send, and where its rows came from."""

    model: ModelName
    version: Version
    input: TensorSpec
    preprocess: tuple[Step, ...]
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class Made:
    """A version that is ready to be written, and what is known of it. `judged` are the rows behind `evaluation`."""

    content: PackageContent
    choice: Choice
    evaluation: Evaluation
    judged: LabelledRows


def make(order: Order, training: LabelledRows, held_out: LabelledRows, bench: Bench, settings: VersionSettings) -> Made:
    """Make a version. `training` and `held_out` share no row. Raises: InvalidRequest, CheckFailed."""
    judged, selection = rows.split(held_out, settings.selection_share, salt="selection")
    if not len(judged) or not len(selection) or not len(training):
        raise InvalidRequest(f"{len(training)} rows to train on and {len(held_out)} held out are too few")
    bench.say(f"training on {len(training)} rows")
    trained = _train(order, training, settings)
    baseline = variants.build_baseline(trained, _draft(order, trained, settings), selection, bench)
    chosen, choice = _optimise(baseline, training, selection, bench, settings)
    bench.say(f"variant {choice.variant}: {choice.reason}")
    evaluation = evaluate(chosen.pipeline, judged)
    content = _assemble(chosen, evaluation, selection, settings)
    return Made(content, choice, evaluation, judged)


def _train(order: Order, training: LabelledRows, settings: VersionSettings) -> Trained:
    values = variants.preprocess(order.preprocess, order.input.name, training.x)
    return train(values, training.y, training.labels, settings.train)


def _draft(order: Order, trained: Trained, settings: VersionSettings) -> Manifest:
    output = TensorSpec(OUTPUT, "FP32", (-1, len(trained.labels)), layout="NC")
    return Manifest(
        name=order.model,
        version=order.version,
        variant=variants.BASELINE,
        target=Target(),
        inputs=(order.input,),
        outputs=(output,),
        labels=trained.labels,
        preprocess=order.preprocess,
        prediction=Classification(output=output.name),
        limits=Limits(batch_max=settings.batch_max),
        golden=empty_golden(absolute_tolerance=_TOLERANCE[variants.BASELINE]),
        lineage=order.lineage,
        members={},
    )


def _optimise(
    baseline: Built, training: LabelledRows, selection: LabelledRows, bench: Bench, settings: VersionSettings
) -> tuple[Built, Choice]:
    if not settings.optimise:
        return baseline, ladder.choose(variants.alone(baseline), [], settings.ladder)
    bench.say("quantising to INT8 and measuring both")
    calibration = training.take(range(min(len(training), settings.calibration_rows_max)))
    try:
        int8 = variants.build_int8(baseline, calibration, selection, bench)
    except CheckFailed as error:
        failure = Attempt(variants.INT8, failure=error.message)
        return baseline, ladder.choose(variants.alone(baseline), [failure], settings.ladder)
    first, attempt = variants.against(baseline, int8, selection.x[:1], bench, settings.measure)
    choice = ladder.choose(first, [attempt], settings.ladder)
    return (int8 if choice.variant == variants.INT8 else baseline), choice


def _assemble(
    chosen: Built, evaluation: Evaluation, selection: LabelledRows, settings: VersionSettings
) -> PackageContent:
    """Golden inputs and the edges of inputs come from the selection rows: those that judge are shipped nowhere."""
    manifest = chosen.manifest
    inputs = input_reference(manifest.inputs, {manifest.inputs[0].name: selection.x})
    draft = msgspec.structs.replace(
        manifest,
        golden=empty_golden(absolute_tolerance=_TOLERANCE[manifest.variant]),
        drift=drift_reference(evaluation, manifest.labels, inputs),
        lineage=msgspec.structs.replace(manifest.lineage, metrics={"accuracy": evaluation.accuracy}),
    )
    golden = {manifest.inputs[0].name: selection.x[: min(settings.golden_rows, settings.batch_max)]}
    return assemble(draft, chosen.path.read_bytes(), chosen.engine, golden)
