"""Every message between hub and node. Unknown fields are ignored; a removed field waits two releases.

Receiving a message twice changes nothing: batches are deduplicated by (node, epoch, seq), desired
states and reports by what they say.
"""

from enum import IntEnum, StrEnum

import msgspec

from ganglion.core.behaviour import Behaviour

SCHEMA = 1


class RecordClass(IntEnum):
    """Kinds of records, in the order in which a full outbox keeps them: the lowest number is shed last."""

    AUDIT = 0
    EVENT = 1
    RESULT = 2
    SUMMARY = 3
    SAMPLE = 4


class UpdateState(StrEnum):
    """Where one node's attempt to take a version stands."""

    OFFERED = "offered"
    PRECHECKED = "prechecked"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    GATED = "gated"
    PROVEN = "proven"
    SHADOW = "shadow"
    PROBATION = "probation"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


# --- identity -------------------------------------------------------------------------------------


class NodeFacts(msgspec.Struct, frozen=True):
    """What a node says of its machine. Facts choose variants and comparison classes; they grant nothing."""

    arch: str
    runtime: str
    cores: int
    memory_bytes: int
    release: str
    runtimes: tuple[str, ...] = ()
    """All that it can run models with; empty in what nodes of the first release say, which have `runtime` alone."""

    def has_runtime(self, name: str) -> bool:
        """Tell whether the node can run models made for this runtime."""
        return name in (self.runtimes or (self.runtime,))

    @property
    def node_class(self) -> str:
        """Nodes of one class are compared with each other: like with like."""
        return f"{self.arch}-{self.cores}"


class JoinRequest(msgspec.Struct, frozen=True):
    """Spend a join token. The name, site and zone come from the token's row, never from here."""

    token: str
    public_key: str
    """Ed25519, raw, hexadecimal."""
    facts: NodeFacts
    schema: int = SCHEMA


class JoinReply(msgspec.Struct, frozen=True):
    """Who the node is now, and the TUF root it trusts from here on."""

    node_id: str
    name: str
    site: str
    incarnation: str
    tuf_root: bytes
    schema: int = SCHEMA


class Challenge(msgspec.Struct, frozen=True):
    """A nonce to be signed within `expires_in_s`; good once."""

    nonce: str
    expires_in_s: int
    issued_at_s: float = 0.0
    """The hub's clock. The node repeats it in its assertion: its own clock may be wrong, and it must still report."""


class AccessRequest(msgspec.Struct, frozen=True):
    """A signed assertion (see `trust.assertion`) in exchange for an access token."""

    assertion: bytes
    signature: bytes
    measured: bytes = b""
    """What the node measured of itself (see `trust.node_statements`); empty when it says nothing."""
    measured_signature: bytes = b""


class RekeyRequest(msgspec.Struct, frozen=True):
    """Announce the key that the node will use from now on (see `trust.node_statements`)."""

    statement: bytes
    signature: bytes
    """With the present key."""
    next_signature: bytes
    """With the key that is announced: whoever announces it has it."""


class AccessReply(msgspec.Struct, frozen=True):
    """A bearer token for the node's calls."""

    access_token: str
    expires_in_s: int


# --- downstream -----------------------------------------------------------------------------------


class DeploymentPolicy(msgspec.Struct, frozen=True):
    """When a node commits a version, and when it goes back, with or without a network."""

    probation_s: float = 10.0
    inferences_min: int = 50
    """Commit needs both: this many answers and `probation_s`."""
    error_rate_max: float = 0.05
    latency_ratio_max: float = 3.0
    """p99 of the new version over p99 of the old one on this node, both measured during the probation."""
    agreement_min: float = 0.5
    """Below this share of equal answers the node goes back by itself; the hub's gate is stricter."""
    compared_min: int = 200
    compare_share: float = 0.25
    """Share of live requests that the previous version also answers, after the client has its answer."""
    comparisons_min: int = 0
    """A node with a previous version commits only when this many inputs were compared: the hub's gate needs them."""
    start_attempts_max: int = 2
    shadow_comparisons_min: int = 0
    """Before it answers anybody, a version must have heard and answered this many live inputs in the shadow of the
    previous one; 0: no shadow. The limits of agreement and latency hold there too."""
    shadow_cpu_share: float = 0.1
    """What the shadow may cost: a share of one core. How many inputs it hears follows, `compare_share` at most."""


class Assignment(msgspec.Struct, frozen=True):
    """One model version that a node should serve."""

    model: str
    version: str
    variant: str
    target_path: str
    size_bytes: int
    sha256: str
    arch: str
    runtime: str
    rollout_id: str = ""
    policy: DeploymentPolicy = DeploymentPolicy()
    statement: bytes = b""
    """What the hub signs of this for one node (`trust.assignment`); empty from a hub whose root names no such key."""
    statement_key: str = ""
    """The raw Ed25519 public key, hexadecimal, that signed `statement`."""
    statement_signature: bytes = b""


class CollectionSettings(msgspec.Struct, frozen=True):
    """Which inputs a node keeps as samples."""

    confidence_below: float = 0.6
    random_share: float = 0.02
    bytes_per_hour: int = 2_000_000
    results_share: float = 1.0
    """Share of the results that are sent one by one; others leave as counts, minute by minute. Failures are sent."""


class AgentOptions(msgspec.Struct, frozen=True):
    """How the agent behaves. A field at its default leaves it to the node's own settings."""

    log_level: str = ""
    """debug, info, warning or error."""
    report_s: float = 0.0
    """Time between two looks whether there is something to report."""


class NodeCommand(msgspec.Struct, frozen=True):
    """Something to do once. The hub stops naming it when it expires; a node does each id once."""

    id: str
    name: str
    """report: report now. collect: keep the next `count` inputs. A node refuses a name that it does not know."""
    expires_at_s: float
    """The hub's clock."""
    count: int = 0


class DesiredState(msgspec.Struct, frozen=True):
    """What the hub wants of one node. Revisions are compared as (incarnation, revision)."""

    incarnation: str
    revision: int
    assignments: tuple[Assignment, ...] = ()
    collection: CollectionSettings = CollectionSettings()
    root_version_min: int = 1
    schema: int = SCHEMA
    agent: AgentOptions = AgentOptions()
    commands: tuple[NodeCommand, ...] = ()
    rekey_of: str = ""
    """The node's key that the hub wants replaced, hexadecimal; empty: none."""


# --- upstream -------------------------------------------------------------------------------------


class ModelStatus(msgspec.Struct, frozen=True):
    """What a node serves of one model, and where its update stands."""

    model: str
    version: str
    """The version that answers now; empty when none does."""
    committed: str
    update_version: str = ""
    update_state: str = ""
    reason: str = ""


class NodeReport(msgspec.Struct, frozen=True):
    """A node's present state: what is true now, unlike events, which tell what happened."""

    incarnation: str
    revision: int
    """The newest desired revision that the node has taken in."""
    models: tuple[ModelStatus, ...]
    facts: NodeFacts
    epoch: str
    made: int
    """Records this epoch's outbox has numbered."""
    waiting: int
    shed: dict[str, int] = {}
    sent_bytes: dict[str, int] = {}
    """Compressed bytes of records that left in this month, UTC, by class name."""
    machine: dict[str, float] = {}
    """Figures of the machine, with their unit in their name: cpu_share, temperature_c, disk_free_bytes."""
    schema: int = SCHEMA
    commands: dict[str, str] = {}
    """What came of the commands that the node heard of, by id: done, or why not."""
    refused: str = ""
    """Why the node did not believe the newest desired state that it was given; empty when it did."""
    audit_number: int = 0
    """Links of the node's audit chain so far; 0: none, or a release that keeps no chain."""
    audit_hash: str = ""
    """The hash of the newest of them, for the hub to sign."""


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One record on its way: `payload` is the msgpack of the struct that belongs to `record_class`."""

    seq: int
    record_class: int
    at_ns: int
    """Event time: wall clock of the node, UTC, nanoseconds since 1970."""
    payload: bytes


class Batch(msgspec.Struct, frozen=True):
    """Records in ascending order of `seq`; gaps are records that were shed, counted in `shed`."""

    id: str
    sent_at_ns: int
    epoch: str
    records: tuple[Envelope, ...]
    shed: dict[str, int] = {}
    """Records given up so far in this epoch, by class name: cumulative."""
    made: int = 0
    schema: int = SCHEMA


class Ack(msgspec.Struct, frozen=True):
    """Everything up to `cursor` is stored and will never be asked for again."""

    epoch: str
    cursor: int


# --- records --------------------------------------------------------------------------------------


class ResultRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One answered (or failed) request."""

    request_id: str
    model: str
    version: str
    latency_us: int
    """What the version itself took, steps and engine; waiting for its turn is not in it."""
    labels: tuple[str, ...]
    """One per row; empty when the manifest declares no prediction."""
    confidences: tuple[float, ...]
    error: str = ""
    """An error code when the model failed to answer; a malformed request is not recorded."""


class ComparisonRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The previous version answered a live request too, after the client had its answer. Class SUMMARY.

    The result of the same request is a `ResultRecord` of its own, journaled before the answer; this record
    follows it, or is missing. It counts with `Behaviour.count_comparison(compared, agreed, latency_us)` for `version`.
    """

    request_id: str
    model: str
    version: str
    """The version that answered the client, and whose behaviour this belongs to."""
    compared_with: str
    """The version that was asked for comparison."""
    compared: int
    """Rows that both versions answered, and of these …"""
    agreed: int
    """… the rows on which both gave the same label. Without labels: one answer, of the same form."""
    latency_us: int
    """How long `compared_with` took."""


class SummaryRecord(msgspec.Struct, frozen=True):
    """What a model version did in some minutes, in counts that add up. Class SUMMARY.

    It holds the requests whose results and comparisons are not sent one by one, and only those: the hub adds its counts
    to those of the records that it was sent. A map, where a `ComparisonRecord` is an array: this tells them apart.
    """

    model: str
    version: str
    began_ns: int
    """Event time of the first minute's beginning, and of the last one's …"""
    ended_ns: int
    """… end."""
    behaviour: Behaviour
    machine: dict[str, float] = {}
    """Figures of the machine at the end, with their unit in their name: cpu_share, memory_bytes, temperature_c …"""


def is_map(payload: bytes) -> bool:
    """Tell whether msgpack begins with a map: of class SUMMARY, that is a `SummaryRecord`."""
    return payload[:1] in _MAP_MARKS


_MAP_MARKS = frozenset(bytes([mark]) for mark in (*range(0x80, 0x90), 0xDE, 0xDF))

KNOWN_HERE = "known_here"
"""Key among an update event's facts: the node had committed the version before, so it did not try it out."""


class EventRecord(msgspec.Struct, frozen=True):
    """Something a person may want to read: updates, restarts, refusals."""

    name: str
    """Dotted, past tense: update.committed."""
    model: str = ""
    version: str = ""
    rollout_id: str = ""
    reason: str = ""
    facts: dict[str, str] = {}


class SampleRecord(msgspec.Struct, frozen=True):
    """An input that is worth looking at, with what the model said and why it was kept."""

    model: str
    version: str
    request_id: str
    reason: str
    """low_confidence, random or requested."""
    label: str
    confidence: float
    inputs: dict[str, "SampleTensor"]
    """One row of each input tensor."""


class SampleTensor(msgspec.Struct, frozen=True, array_like=True):
    """One row of a tensor: Open Inference Protocol datatype, shape with a batch of 1, little-endian bytes."""

    datatype: str
    shape: tuple[int, ...]
    data: bytes
