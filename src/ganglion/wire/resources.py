"""What people and their programs read and write under /api/v1, as plain dataclasses.

The hub publishes them in its OpenAPI document; the command line decodes the same classes. Times are
seconds since 1970, UTC. Fields are only ever added.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Ask for a join token."""

    name: str
    site: str = "default"
    zone: str = "default"
    expires_in_s: float = 3600.0
    labels: dict[str, str] = field(default_factory=dict)
    """What the node is called by once it has joined."""


@dataclass(frozen=True, slots=True)
class TokenListRequest:
    """Ask for join tokens of many nodes: all are made, or none."""

    nodes: list[TokenRequest]


@dataclass(frozen=True, slots=True)
class TokenReply:
    """A join token, shown once."""

    token: str
    name: str
    expires_at_s: float


@dataclass(frozen=True, slots=True)
class ModelOnNode:
    """What a node serves of one model, as it last said."""

    model: str
    version: str
    committed: str
    desired: str
    update_version: str = ""
    update_state: str = ""
    reason: str = ""
    shares: dict[str, float] = field(default_factory=dict)
    """By version its share of the requests, while more than one answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsView:
    """What a node says of its machine."""

    arch: str = ""
    runtime: str = ""
    runtimes: list[str] = field(default_factory=list)
    """All that it can run models with."""
    cores: int = 0
    memory_bytes: int = 0
    release: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as the hub knows it."""

    node_id: str
    name: str
    site: str
    zone: str
    node_class: str
    state: str
    """pending, active, quarantined, retired or revoked."""
    enrolled_at_s: float
    last_seen_at_s: float | None
    epoch: str = ""
    made: int = 0
    stored: int = 0
    waiting: int = 0
    shed: dict[str, int] = field(default_factory=dict)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    """What its records cost in bytes this month, compressed, by class."""
    machine: dict[str, float] = field(default_factory=dict)
    """How its machine is doing, with the unit in each name."""
    clock_error_s: float = 0.0
    """How far its clock was ahead of the hub's when its newest records left; the hub corrects their times."""
    models: list[ModelOnNode] = field(default_factory=list)
    quarantine_reason: str = ""
    """Why it waits for a person to admit it; empty when it does not."""
    measured: dict[str, str] = field(default_factory=dict)
    """What it last measured of itself, signed with its key."""
    key_since_at_s: float = 0.0
    """Since when it has its present key."""
    rekey_asked: bool = False
    """It is asked for a new key, and has not used one yet."""
    health: str = ""
    """ok, warn or bad, as it last said; empty: it said nothing yet."""
    unwell: dict[str, str] = field(default_factory=dict)
    """What is not well, by check: the verdict, a colon, and the fact."""
    refused: str = ""
    """Why it did not believe the newest desired state that it was given; empty when it did."""
    labels: dict[str, str] = field(default_factory=dict)
    """What people call it by, to select it."""
    facts: FactsView = field(default_factory=FactsView)
    settings: str = ""
    """What it says of its settings: applied, trying, set_aside or failed, of which revision, and why."""


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """One package of a released version."""

    model: str
    version: str
    variant: str
    arch: str
    runtime: str
    sha256: str
    size_bytes: int
    released_at_s: float
    parent: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShiftView:
    """One figure of the inputs on a node beside the held-out rows: INPUT, or INPUT[COLUMN]."""

    figure: str
    rows: int
    """Rows that were looked at."""
    psi: float | None
    """Population stability index; None: no row was looked at."""
    threshold: float | None
    is_shifted: bool
    """The index is above the threshold: chance does not explain it."""
    edges: list[float]
    expected: list[int]
    """Held-out rows below the first edge, between each two, and from the last on."""
    counts: list[int]
    """Rows that were looked at, in the same bins."""


@dataclass(frozen=True, slots=True)
class SampleTensorView:
    """One row of one input; `values` in row-major order."""

    datatype: str
    shape: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class SampleView:
    """A kept input with its prediction and, when somebody gave one, its label."""

    sample_id: str
    node: str
    at_s: float
    model: str
    version: str
    request_id: str
    reason: str
    prediction: str
    confidence: float
    label: str = ""
    inputs: dict[str, SampleTensorView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """A person's word on one sample."""

    sample_id: str
    label: str


@dataclass(frozen=True, slots=True)
class LabelsRequest:
    """Labels to store; giving the same again changes nothing."""

    labels: list[LabelRequest]


@dataclass(frozen=True, slots=True)
class LabelsReply:
    """How many labels were stored."""

    stored: int


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """Build the next version of a data set from every labelled sample of a model."""

    name: str
    model: str


@dataclass(frozen=True, slots=True)
class DatasetView:
    """One immutable version of a data set. `sha256` is the digest of its manifest."""

    name: str
    version: int
    sha256: str
    samples: int
    built_at_s: float


@dataclass(frozen=True, slots=True)
class DatasetTensor:
    """One input of every sample, stacked: an .npy file in the artifact store, [samples, ...]."""

    sha256: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """What a data set holds; row i of every tensor belongs to samples[i] and labels[i]."""

    name: str
    version: int
    model: str
    inputs: dict[str, DatasetTensor]
    labels: list[str]
    samples: list[str]


@dataclass(frozen=True, slots=True)
class ResultView:
    """One stored result record."""

    node: str
    epoch: str
    seq: int
    at_s: float
    request_id: str
    model: str
    version: str
    latency_us: int
    labels: list[str]
    confidences: list[float]
    error: str = ""
    node_at_s: float = 0.0
    """What the node's own clock showed; `at_s` is corrected by the hub's."""


@dataclass(frozen=True, slots=True)
class EventView:
    """One stored event."""

    node: str
    at_s: float
    name: str
    model: str
    version: str
    rollout_id: str
    reason: str
    facts: dict[str, str] = field(default_factory=dict)
    node_at_s: float = 0.0
    """What the node's own clock showed; `at_s` is corrected by the hub's."""
