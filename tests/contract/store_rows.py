"""Rows of the hub's stores with everything a test does not care about filled in."""

from dataclasses import replace

from ganglion.ports.hub_store import (
    AssignmentRow,
    CredentialRow,
    JoinTokenRow,
    LabelRow,
    NodeRow,
    ReleaseRow,
    RolloutRow,
)
from ganglion.ports.people_store import AuditRow
from ganglion.ports.telemetry_store import EventRow, RecordRow, SampleRow

_NODE = NodeRow(
    node_id="n1",
    name="north",
    site="harbour",
    zone="z",
    public_key="00",
    node_class="x86_64-2",
    facts=b"{}",
    enrolled_at_s=1.5,
)
_RELEASE = ReleaseRow(
    model="digits",
    version="1",
    variant="fp32",
    arch="any",
    runtime="onnxruntime",
    sha256="aa",
    size_bytes=10,
    manifest=b"{}",
    released_at_s=1.0,
)
_EVENT = EventRow(
    node_id="n1",
    epoch="e1",
    seq=1,
    at_ns=1,
    name="update.committed",
    model="digits",
    version="1",
    rollout_id="",
    reason="",
    facts=b"{}",
    corrected_at_ns=1,
)
_SAMPLE = SampleRow(
    sample_id="n1-e1-1",
    node_id="n1",
    at_ns=1,
    model="digits",
    version="1",
    request_id="r",
    reason="random",
    label="7",
    confidence=0.5,
    inputs=b"\x00\xff",
    corrected_at_ns=1,
)


def join_token(token_hash: str = "h1") -> JoinTokenRow:
    return JoinTokenRow(token_hash, "north", "harbour", "z", expires_at_s=60.0)


def node(node_id: str = "n1", name: str = "north") -> NodeRow:
    return replace(_NODE, node_id=node_id, name=name)


def credential(secret_hash: str = "s1", kind: str = "access", expires_at_s: float | None = 60.0) -> CredentialRow:
    return CredentialRow(secret_hash, kind, "n1", expires_at_s)


def release(version: str = "1", *, variant: str = "fp32", sha256: str = "aa", released_at_s: float = 1.0) -> ReleaseRow:
    return replace(_RELEASE, version=version, variant=variant, sha256=sha256, released_at_s=released_at_s)


def assignment(node_id: str = "n1", *, model: str = "digits", version: str = "1") -> AssignmentRow:
    return AssignmentRow(node_id, model, version, "fp32", "r1", b"{}")


def rollout(rollout_id: str, *, model: str = "digits", state: str = "running", document: bytes = b"{}") -> RolloutRow:
    return RolloutRow(rollout_id, model, "2", state, document, updated_at_s=1.0)


def label(sample_id: str, word: str, *, at_s: float = 1.0) -> LabelRow:
    return LabelRow(sample_id, word, "ada", at_s)


def record(seq: int, *, node_id: str = "n1", epoch: str = "e1", record_class: int = 2) -> RecordRow:
    return RecordRow(node_id, epoch, seq, record_class, 5, 6, b"\x00payload", 4)


def event(seq: int, *, node_id: str = "n1", at_ns: int = 1, rollout_id: str = "") -> EventRow:
    return replace(_EVENT, seq=seq, node_id=node_id, corrected_at_ns=at_ns, rollout_id=rollout_id)


def sample(sample_id: str, *, at_ns: int = 1, model: str = "digits", node_id: str = "n1") -> SampleRow:
    return replace(_SAMPLE, sample_id=sample_id, corrected_at_ns=at_ns, model=model, node_id=node_id)


def audit_row(number: int, *, writer: str = "hub", action: str = "node.revoked", actor: str = "ada") -> AuditRow:
    return AuditRow(writer, number, at_ns=number, actor=actor, action=action, subject="n1", hash="h", document=b"{}")
