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
