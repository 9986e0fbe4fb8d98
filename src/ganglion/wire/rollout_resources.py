"""What people and their programs read and write about rollouts under /api/v1."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When a stage may be followed by the next, judged by what its nodes report."""

    inferences_min: int = 100
    """Answers of the new version, over the stage's nodes together, before the gate may say go on."""
    soak_s: float = 30.0
    """Time since the stage's last node took the version."""
    error_rate_max: float = 0.02
    latency_ratio_max: float = 2.0
    """p99 of the new version over p99 of the old one, on nodes of the same class."""
    latency_slack_us: int = 2000
    """A difference of less than this is noise, whatever the ratio."""
    agreement_min: float = 0.8
    compared_min: int = 50
    reports_min_share: float = 1.0
    """Share of the stage's nodes that must have reported a commit."""
    deadline_s: float = 3600.0
    """A stage that is not decided by then aborts the rollout."""


@dataclass(frozen=True, slots=True)
class ProbationSettings:
    """What each node demands before it commits; see DeploymentPolicy."""

    probation_s: float = 10.0
    inferences_min: int = 50
    error_rate_max: float = 0.05
    latency_ratio_max: float = 3.0
    agreement_min: float = 0.5
    compared_min: int = 200
    compare_share: float = 0.25
    shadow_comparisons_min: int = 0
    shadow_cpu_share: float = 0.1


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """Start a rollout. A stage is "34%" (cumulative, at least one node) or a number of nodes."""

    model: str
    version: str
    stages: list[str] = field(default_factory=lambda: ["5%", "25%", "100%"])
    gate: GateSettings = field(default_factory=GateSettings)
    probation: ProbationSettings = field(default_factory=ProbationSettings)


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Why a person pauses, resumes, promotes or aborts."""

    reason: str = ""
    stage: int | None = None
    """Promote only: the index of the stage to leave. When it was left already nothing happens, so a retry is safe."""


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage: its nodes by name, and what the gate last said."""

    share: str
    nodes: list[str]
    started_at_s: float | None = None
    verdict: str = ""
    """go_on, wait, abort, or empty before the first look."""
    verdict_reason: str = ""


@dataclass(frozen=True, slots=True)
class RolloutEntry:
    """One line of a rollout's history."""

    at_s: float
    event: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout."""

    rollout_id: str
    model: str
    version: str
    state: str
    """running, paused, completed or aborted."""
    stage: int
    """Index of the current stage."""
    stages: list[StageView]
    reason: str
    created_at_s: float
    updated_at_s: float
    history: list[RolloutEntry] = field(default_factory=list)
