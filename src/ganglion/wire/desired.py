"""What the hub wants of a node, and what the node says it has.

Receiving one twice changes nothing: a desired state and a report are judged by what they say.
"""

from enum import StrEnum

import msgspec

from ganglion.wire.identity import NodeFacts
from ganglion.wire.schema import SCHEMA


class UpdateState(StrEnum):
    """Where one node's attempt to take a version stands."""

    OFFERED = "offered"
    PRECHECKED = "prechecked"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    GATED = "gated"
    PROVEN = "proven"
    SHADOW = "shadow"
    STAGED = "staged"
    """Proven, on the disk, and out of memory: it waits for a window of its policy."""
    PROBATION = "probation"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


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
    install_windows: tuple[str, ...] = ()
    """When the version may begin to answer, in the node's time zone, as `core.install_windows` reads it; none: always.
    Everything before that is done at once, and a version that the node knows is gone back to at any time."""
    download_bytes_per_s_max: int = 0
    """How fast one node may bring the package; 0: as fast as the line is."""
    attempt: int = 0
    """Which attempt of the rollout this is: a node that has failed an earlier one tries again."""
    held: bool = False
    """It stays on trial beside the committed version until the hub wants something else, and is never committed."""
    traffic_share: float = 0.0
    """Of a held version: the share of the requests that it answers, sticky by their key. 0: it answers nobody, and
    hears `compare_share` of them in the shadow."""
    anew: bool = False
    """It was taken back before: a node that knows it tries it like one that does not."""


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
    margin_below: float = 0.0
    """Keep inputs whose two best labels are closer together than this; 0: margins are not looked at."""
    out_of_distribution_above: float = 1.0
    """Keep inputs whose answers are stranger than this beside those on held-out data (`core.typicality`); 1: none."""
    disagreements: bool = False
    """Keep inputs on which two versions did not agree when they were compared."""
    keep_when: str = ""
    """Keep inputs for which this rule holds, as in `label=person and confidence<0.6` (`core.trigger_rule`)."""
    quality_looks_per_minute: int = 6
    """Inputs of each model whose quality is measured, at the most; 0: none. It is done after the answer, aside."""


class AgentOptions(msgspec.Struct, frozen=True):
    """How the agent behaves. A field at its default leaves it to the node's own settings."""

    log_level: str = ""
    """debug, info, warning or error."""
    report_s: float = 0.0
    """Time between two looks whether there is something to report."""
    time_zone: str = ""
    """In which windows of installation are meant, such as Europe/Lisbon; empty: the machine's own."""
    heartbeat_s: float = 0.0
    """Time between two reports of a node on which nothing changes."""
    batch_records_max: int = 0
    """Records in one batch; of this and of the node's own limit the lower holds, here and below."""
    egress_hour_bytes_max: int = 0
    """Compressed bytes of records in one hour."""
    egress_day_bytes_max: int = 0
    """Compressed bytes of records in one day, UTC."""
    egress_month_bytes_max: int = 0
    """Compressed bytes of records in one month, UTC."""


class NodeCommand(msgspec.Struct, frozen=True):
    """Something to do once. The hub stops naming it when it expires; a node does each id once."""

    id: str
    name: str
    """report: report now. collect: keep the next `count` inputs. sync: look at everything anew. restart-serving.

    Or an action of the envelope (`trust.envelope`). A node refuses a name that it does not know."""
    expires_at_s: float
    """The hub's clock."""
    count: int = 0
    arguments: tuple[str, ...] = ()
    """KEY=VALUE, for an action that takes some."""
    person: str = ""
    """Who asks, and …"""
    role: str = ""
    """… what this person is to the hub."""
    statement: bytes = b""
    """What the hub signs of this for one node (`trust.orders`); a node obeys only report and collect without it."""
    statement_key: str = ""
    """The raw Ed25519 public key, hexadecimal, that signed `statement`."""
    statement_signature: bytes = b""


class ReferenceFile(msgspec.Struct, frozen=True):
    """A file that a node should have by this name: a table of calibration, a map of labels."""

    name: str
    sha256: str
    size_bytes: int


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
    envelope_version: int = 0
    """Version of the newest envelope (`trust.envelope`) that the hub has; 0: none. A node looks for it, and trusts only
    what is signed."""
    files: tuple[ReferenceFile, ...] = ()
    """Every reference file that the node should have; it removes all others that it brought."""
    files_statement: bytes = b""
    """What the hub signs of `files` for one node and this revision (`trust.files`), also when there are none."""
    files_key: str = ""
    """The raw Ed25519 public key, hexadecimal, that signed `files_statement`."""
    files_signature: bytes = b""


class ModelStatus(msgspec.Struct, frozen=True):
    """What a node serves of one model, and where its update stands."""

    model: str
    version: str
    """The version that answers now; empty when none does."""
    committed: str
    update_version: str = ""
    update_state: str = ""
    reason: str = ""
    shares: dict[str, float] = {}
    """By version its share of the requests, while more than one answers; empty when `version` answers them all."""


class SettingsReport(msgspec.Struct, frozen=True):
    """How a node stands to the settings of its newest desired state."""

    state: str = ""
    """applied, trying, set_aside or failed; empty from a release that tries none."""
    revision: int = -1
    """The newest desired state with these settings."""
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
    unwell: dict[str, str] = {}
    """What is not well, by check: the verdict (warn or bad), a colon, and the fact."""
    settings: SettingsReport = SettingsReport()
    """Whether the settings that the hub wants are in force."""
    files: dict[str, str] = {}
    """Reference files by name: applied, waiting, or failed and why."""
