"""What people and their programs read and write about experiments under /api/v1."""

from dataclasses import dataclass, field

from ganglion.wire.rollout_resources import ProbationSettings, RolloutEntry


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """A challenger and its share of the nodes."""

    version: str
    share: float = 0.0
    """Of the nodes, between 0 and 1; 0: what the shares that are given leave, in equal parts with the control."""


@dataclass(frozen=True, slots=True)
class ExperimentGuard:
    """What ends an experiment before its time. Each is looked at as long as it runs, with tests valid at any look."""

    error_rate_max: float = 0.05
    """Errors of a challenger over its requests."""
    latency_ratio_max: float = 2.0
    """Typical latency of a challenger over that of the control."""
    confidence_drop_max: float = 0.1
    """By how much the mean confidence of a challenger may lie below that of the control."""
    rollback_share_max: float = 0.2
    """Share of a challenger's nodes that may go back by themselves."""


@dataclass(frozen=True, slots=True)
class ExperimentRequest:
    """Declare an experiment. Nothing happens before it is started."""

    name: str
    model: str
    control: str
    """The version that the nodes serve now; the control's nodes keep it."""
    arms: list[ArmRequest]
    """The challengers."""
    to: str = ""
    """"group:NAME": nodes of this group alone."""
    select: str | None = None
    """The same by selector. None: everybody."""
    metric: str = "error_rate"
    """What decides: error_rate, confidence, latency or accuracy."""
    effect: float = 0.0
    """The smallest difference that matters: a share for error_rate, confidence and accuracy, a part of the control's
    latency for latency. 0: 0.01, 0.02, 0.02 and 0.1."""
    requests_min: int = 1000
    """Answers of each arm before anything is said of its differences."""
    length_s: float = 604_800.0
    """It ends by itself after so long."""
    guard: ExperimentGuard = field(default_factory=ExperimentGuard)
    probation: ProbationSettings = field(default_factory=ProbationSettings)
    """What each node of a challenger must see before it commits."""
    seed: str = ""
    """Decides, with the node ids, who is in which arm. Empty: the experiment's name."""
    mode: str = "nodes"
    """nodes: each arm has nodes of its own. traffic: on every node one challenger answers a share of the requests,
    sticky by their key. shadow: on every node it hears a share of the inputs, and answers nobody."""
    share: float = 0.0
    """Modes traffic and shadow: which share of the requests the challenger gets."""


@dataclass(frozen=True, slots=True)
class ExperimentAction:
    """Why a person acts on an experiment, and for `conclude` what follows."""

    reason: str = ""
    winner: str = ""
    """Conclude: the version that won; a challenger is rolled out, the control stays as it is."""
    stages: list[str] = field(default_factory=lambda: ["5%", "25%", "100%"])
    """Conclude: the stages of the winner's rollout."""
    policy: str = ""
    """Conclude: a policy of rollouts, by name, whose stages, gate, probation and approvals the winner's rollout has
    instead."""


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric of one arm. Errors, confidence and accuracy are shares, latency is in microseconds."""

    metric: str
    mean: float
    """Of the nodes' own means; of latency the geometric one; of accuracy nodes with few labels weigh less."""
    low: float | None = None
    """The interval holds the truth at every look, except with the chance that the results name. None: too few nodes."""
    high: float | None = None
    difference: float | None = None
    """To the control in the same hours; of latency as a part of the control's. None: for the control, or too early."""
    difference_low: float | None = None
    difference_high: float | None = None
    detectable: float | None = None
    """The smallest true difference that would be found now, four times out of five."""
    nodes_needed: int | None = None
    """Nodes in both arms together at which `effect` would be found, four times out of five, as nodes vary now."""
    finding: str = ""
    """better, worse, open (not decided yet) or too_early; empty for the control."""
    labelled: int = 0
    """Of accuracy: inputs that were kept by chance and labelled, and of these …"""
    right: int = 0
    """… the ones of which the answer was the label."""
    labels_needed: int | None = None
    """Of accuracy: labels of both arms together at which `effect` would be found, four times out of five, on the nodes
    of now. None: these nodes differ too much, or it is too early."""


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm did since the experiment started."""

    version: str
    share: float
    is_control: bool
    nodes: int
    serving: int
    """Nodes that reported the version as committed."""
    rolled_back: int
    """Nodes that went back by themselves."""
    requests: int = 0
    errors: int = 0
    compared: int = 0
    """Rows that the version before answered too, while a node tried this one; inside of nodes, that both answered."""
    agreed: int = 0
    metrics: list[MetricResult] = field(default_factory=list)
    node_names: list[str] = field(default_factory=list)
    """The first of them where they are many."""


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment."""

    name: str
    experiment_id: str
    """What updates of its nodes are filed under; empty before the start."""
    model: str
    state: str
    """draft, running, concluded or stopped."""
    request: ExperimentRequest
    arms: list[ArmResult]
    """The control first. After the end: what was known then."""
    chance: float
    """Of one of the intervals on the deciding metric being wrong, over all looks and challengers together."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Nodes that were meant and are in no arm, with the reason; the first of them where they are many."""
    started_at_s: float | None = None
    ends_at_s: float | None = None
    """When it ends by itself."""
    ended_at_s: float | None = None
    reason: str = ""
    winner: str = ""
    rollout_id: str = ""
    """The rollout of the winner."""
    history: list[RolloutEntry] = field(default_factory=list)
