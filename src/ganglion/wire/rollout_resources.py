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
    """A stage that is not decided by then ends as `on_deadline` says."""
    on_deadline: str = "abort"
    """abort; pause: a person decides; wait: it is said, and the stage goes on waiting."""
    reports_min: int = 0
    """Nodes of the stage that must have reported a commit, at most all of them; beside the share, whichever is more."""
    silence_s_max: float = 0.0
    """A node from which nothing was heard for so long is set aside: no success, no failure, not waited for. 0: none."""
    rollback_share_max: float = 0.0
    """Share of the nodes that may go back by themselves before the rollout ends."""
    crash_share_max: float = 0.0
    """Share of the nodes that may give the version up after its commit because it took the process down too often."""
    latency_typical_ratio_max: float = 1.25
    """Typical latency (geometric mean of the nodes' means) over that of the old version, on nodes of the same class."""
    latency_typical_slack_us: int = 500
    """A difference of less than this does not matter, whatever the ratio."""
    shift_psi_max: float = 0.05
    """Distributions that are closer than this are alike, however sure one may be that they differ."""
    doubt_rise_max: float = 0.015
    """By how much the share of answers with a confidence below 0.7 may rise over the old version's."""
    machine_ratio_max: float = 2.0
    """Memory and power of machines with the new version over those with the old one, where they are known."""


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one rule of the gate found, in figures."""

    rule: str
    answer: str
    """go_on, wait or abort: what this rule alone would say."""
    text: str
    scope: str = ""
    """The class or the site that was looked at; empty: the stage as a whole."""
    figure: float | None = None
    limit: float | None = None
    sample: int = 0
    """Nodes, requests or rows behind the figure."""


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
    """Start a rollout, or plan one.

    A stage is "34%" (cumulative, at least one node), a number of nodes (cumulative), "group:NAME" or "class:NAME"
    (whoever that means and no earlier stage has).
    """

    model: str
    version: str
    stages: list[str] = field(default_factory=lambda: ["5%", "25%", "100%"])
    gate: GateSettings = field(default_factory=GateSettings)
    probation: ProbationSettings = field(default_factory=ProbationSettings)
    to: str = ""
    """"group:NAME": the rollout is for this group alone, and does not become what new nodes start with."""
    select: str | None = None
    """The same by selector, such as "site=porto,arch!=armv7". None: everybody."""
    seed: str = ""
    """Decides, with the node ids, who comes first. Empty: MODEL:VERSION, so that a plan says what a start will do."""
    starts_at_s: float | None = None
    deadline_at_s: float | None = None
    """What is not done by then is paused or aborted, as `deadline_act` says."""
    deadline_act: str = "pause"
    """pause or abort."""
    approvals: int = 0
    """People other than the one who starts it that each stage needs."""
    if_busy: str = "refuse"
    """refuse or queue, when another rollout of the model is open at the time."""
    emergency: bool = False
    """No soak and no approvals. Every rule that ends a rollout stays. Needs a reason."""
    reason: str = ""
    site_parallel_max: int = 0
    """How many nodes of one site take the version at the same time; 0: a whole stage."""
    site_bytes_per_s_max: int = 0
    """What the nodes of one site may bring together; 0: as fast as the line is."""
    windows: list[str] = field(default_factory=list)
    """When the version may begin to answer, in each node's time zone: "mon-fri 22:00-05:00". None: always."""


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Why a person acts on a rollout."""

    reason: str = ""
    stage: int | None = None
    """Promote: the index of the stage to leave; when it was left already nothing happens, so a retry is safe.
    Approve: the index of the stage that may start."""


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage: its nodes by name, the first of them where they are many, and what the gate last said."""

    share: str
    nodes: list[str]
    started_at_s: float | None = None
    verdict: str = ""
    """go_on, wait, abort, or empty before the first look."""
    verdict_reason: str = ""
    findings: list[GateFinding] = field(default_factory=list)
    """What each rule last found, those that stand in the way first."""
    approved_by: list[str] = field(default_factory=list)
    approvals_missing: int = 0
    size: int = 0
    """How many nodes it has."""


@dataclass(frozen=True, slots=True)
class NodeReturn:
    """How far a node is on its way back after an abort."""

    node: str
    state: str
    """returned, returning, silent or failed."""
    version: str
    """What it should serve again; empty: nothing of the model."""
    reason: str = ""
    returned_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class JudgedVersion:
    """How often a version was right, by labels of inputs that chance has kept."""

    version: str
    right: int
    labelled: int


@dataclass(frozen=True, slots=True)
class RevertView:
    """The way back after an abort, as reports prove it."""

    returned: int
    returning: int
    silent: int
    failed: int
    reverted_at_s: float | None = None
    """When every node that could be reached was back."""
    nodes: list[NodeReturn] = field(default_factory=list)
    """Those that are not back first; the first of them where they are many."""


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """What a rollout was given besides its stages and its gate."""

    to: str = ""
    select: str | None = None
    starts_at_s: float | None = None
    deadline_at_s: float | None = None
    deadline_act: str = "pause"
    approvals: int = 0
    emergency: bool = False
    site_parallel_max: int = 0
    site_bytes_per_s_max: int = 0
    windows: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """What one node would be given."""

    node: str
    site: str
    node_class: str
    variant: str
    before: str
    """The version that it has now; empty: none."""
    download_bytes: int
    """0: it has these bytes already."""


@dataclass(frozen=True, slots=True)
class PlannedStageView:
    """A stage that was not started, and when it could be at the earliest."""

    share: str
    nodes: list[PlannedNode]
    earliest_at_s: float
    """If everything before goes well at once: the probation and the soak of every earlier stage, and the start."""
    batches: int
    """Turns within the stage, by what one site may take at a time and by pairs."""
    download_bytes: int
    size: int = 0
    """How many nodes it has; the first of them are named where they are many."""


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Who would get what, and when. Nothing of it is stored."""

    model: str
    version: str
    seed: str
    stages: list[PlannedStageView]
    misfits: list[str]
    """Nodes that fit no variant: with any of these the start is refused."""
    ahead: list[str]
    """Ids of the rollouts of the model that are open."""
    download_bytes: int
    approvals: int = 0


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
    """scheduled, queued, awaiting_approval, running, paused, completed or aborted."""
    stage: int
    """Index of the current stage."""
    stages: list[StageView]
    reason: str
    created_at_s: float
    updated_at_s: float
    history: list[RolloutEntry] = field(default_factory=list)
    started_by: str = ""
    limits: RolloutLimits = field(default_factory=RolloutLimits)
    place: int = 0
    """Rollouts of the model that go before it, while it is queued."""
    given: int = 0
    """Nodes that were given the version so far."""
    committed: int = 0
    held_back: int = 0
    """Nodes of the stages so far that wait for their turn."""
    left_behind: list[str] = field(default_factory=list)
    """Nodes that a person stopped waiting for."""
    retried: list[str] = field(default_factory=list)
    """Nodes that were given the version anew."""
    revert: RevertView | None = None
    """After an abort."""
    judged: list[JudgedVersion] = field(default_factory=list)
    """What people said since it was created, of the version and of those beside it: no rule asks for it."""
