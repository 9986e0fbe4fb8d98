"""What the model commands print: packages, proofs and learning reports, as plain dataclasses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganglion.core.golden import GoldenResult
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.ports.sandbox import Trial

if TYPE_CHECKING:
    from ganglion.entrypoints.learning import TrainedVersion
    from ganglion.factory.domain.ladder import Rung


@dataclass(frozen=True, slots=True)
class TensorView:
    """One input or output."""

    name: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package in short; manifest.json in the package has all of it."""

    model: str
    version: str
    variant: str
    arch: str
    runtime: str
    package_bytes: int
    prediction: str
    labels: list[str]
    steps: list[str]
    parent: str
    data: str
    code: str
    metrics: dict[str, float]
    inputs: list[TensorView]
    outputs: list[TensorView]


@dataclass(frozen=True, slots=True)
class ProofView:
    """What `verify` found."""

    model: str
    version: str
    variant: str
    members: int
    passed: bool
    deviation_max: float
    load_ms: float | None
    golden_ms: float | None
    memory_bytes_peak: int | None


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One rung of the ladder."""

    variant: str
    fits: bool
    model_bytes: int
    accuracy: float
    loss_upper: float
    speed_ratio: float
    latency_us: float
    reason: str


@dataclass(frozen=True, slots=True)
class LearningView:
    """What training made."""

    model: str
    version: str
    variant: str
    file: str
    package_bytes: int
    accuracy: float
    parent_accuracy: float | None
    training_rows: int
    dropped_rows: int
    judged_rows: int
    reason: str
    candidates: list[CandidateView]


def package_view(manifest: Manifest) -> PackageView:
    """Return a package in short."""
    lineage, prediction = manifest.lineage, manifest.prediction
    return PackageView(
        model=manifest.name,
        version=manifest.version,
        variant=manifest.variant,
        arch=manifest.target.arch,
        runtime=manifest.target.runtime,
        package_bytes=sum(member.size_bytes for member in manifest.members.values()),
        prediction=prediction.output if prediction else "",
        labels=list(manifest.labels),
        steps=[f"{step.kind}:{step.tensor}" for step in (*manifest.preprocess, *manifest.postprocess)],
        parent=lineage.parent,
        data=lineage.data,
        code=lineage.code,
        metrics=lineage.metrics,
        inputs=[_tensor_view(spec) for spec in manifest.inputs],
        outputs=[_tensor_view(spec) for spec in manifest.outputs],
    )


def proof_view(manifest: Manifest, result: GoldenResult, trial: Trial | None) -> ProofView:
    """Return the outcome of a verification, with figures when it was made in the sandbox."""
    return ProofView(
        model=manifest.name,
        version=manifest.version,
        variant=manifest.variant,
        members=len(manifest.members),
        passed=result.passed,
        deviation_max=result.deviation_max,
        load_ms=trial.load_ms if trial else None,
        golden_ms=trial.golden_ms if trial else None,
        memory_bytes_peak=trial.memory_bytes_peak if trial else None,
    )


def learning_view(trained: "TrainedVersion") -> LearningView:
    """Return a learning report in short."""
    manifest, report = trained.manifest, trained.report
    return LearningView(
        model=manifest.name,
        version=manifest.version,
        variant=manifest.variant,
        file=str(trained.package_file),
        package_bytes=report.package_bytes,
        accuracy=report.accuracy,
        parent_accuracy=report.comparison.reference_accuracy if report.comparison else None,
        training_rows=report.training_rows,
        dropped_rows=report.dropped_rows,
        judged_rows=report.judged_rows,
        reason=report.promotion or report.choice.reason,
        candidates=[_candidate_view(rung) for rung in report.choice.rungs],
    )


def _candidate_view(rung: "Rung") -> CandidateView:
    attempt, comparison = rung.attempt, rung.attempt.comparison
    return CandidateView(
        variant=attempt.variant,
        fits=rung.fits,
        model_bytes=attempt.size_bytes,
        accuracy=comparison.candidate_accuracy if comparison else 0.0,
        loss_upper=comparison.loss_upper if comparison else 0.0,
        speed_ratio=attempt.speed_ratio,
        latency_us=attempt.latency_us,
        reason=rung.reason,
    )


def _tensor_view(spec: TensorSpec) -> TensorView:
    return TensorView(spec.name, spec.datatype, list(spec.shape))
