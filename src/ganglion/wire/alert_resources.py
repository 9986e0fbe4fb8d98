"""What people and their programs send and read of alerts under /api/v1, and what webhooks are sent."""

from dataclasses import dataclass, field
from enum import StrEnum

SCHEMA = 1
"""Of `AlertMessage`."""


class Severity(StrEnum):
    """How much it matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertCondition(StrEnum):
    """What can be watched. docs/howto/be-told.md says what each means."""

    NODE_SILENT = "node_silent"
    NODE_QUARANTINED = "node_quarantined"
    NODE_UNWELL = "node_unwell"
    DISK_LOW = "disk_low"
    RECORDS_WAITING = "records_waiting"
    RECORDS_SHED = "records_shed"
    VERSION_DRIFT = "version_drift"
    UPDATES_FAILED = "updates_failed"
    CRASHES = "crashes"
    ERROR_RATE = "error_rate"
    LATENCY_P99 = "latency_p99"
    INPUT_SHIFT = "input_shift"
    ROLLOUT_ABORTED = "rollout_aborted"
    ROLLOUT_WAITING = "rollout_waiting"
    HUB_DISK_LOW = "hub_disk_low"
    METADATA_EXPIRING = "metadata_expiring"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    TOKEN_EXPIRING = "token_expiring"  # noqa: S105 - a word of people, and no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDefinition:
    """What people want to be told; the fields of the resource `Alert`."""

    condition: AlertCondition
    description: str = ""
    severity: Severity = Severity.WARNING
    to: str = ""
    """`group:NAME`; with neither this nor `select`: every node."""
    select: str | None = None
    limit: float | None = None
    """In the unit of the condition; None: its default."""
    per: str = ""
    """node, site or fleet; empty: as the condition has it."""
    at_least: str = "1"
    """How many nodes of a site or of the fleet make it true: a number, or a share such as `10%`."""
    model: str = ""
    check: str = ""
    """node_unwell: of this health check alone."""
    within_s: float = 0.0
    """How far back it looks; 0: as the condition has it."""
    for_s: float = 300.0
    """How long it must be true before anybody is told."""
    resolve_after_s: float = 300.0
    """How long it must be over before it is told to be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSubject:
    """One thing of which an alert holds: a node, a site, a rollout."""

    subject: str
    state: str
    """pending (true, but not for long enough), firing, or clearing (over, but not for long enough)."""
    since_s: float
    """When it was first found to be so, in seconds since 1970."""
    fired_at_s: float | None = None
    value: float = 0.0
    """In the unit of the condition."""
    text: str = ""
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert, and how it stands."""

    name: str
    state: str
    """ok, pending or firing: that of its worst subject."""
    definition: AlertDefinition
    """Its limit and the like are those that hold."""
    unit: str
    """Of the limit and of values."""
    owner: str = ""
    """apply, when files declared it."""
    subjects: list[AlertSubject] = field(default_factory=list)
    left_out: int = 0
    """Further subjects of which it is true; more are not followed."""
    trouble: str = ""
    """Why it cannot be looked at."""
    silenced_until_s: float | None = None
    silenced_by: str = ""
    silence_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEntry:
    """One line of an alert's history."""

    at_s: float
    event: str
    """fired, resolved, silenced or unsilenced."""
    subjects: list[str]
    """The first of them where they are many."""
    count: int
    text: str = ""
    is_silenced: bool = False
    """It fired while it was silenced; it is told when the silence ends, if it still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSilence:
    """Tell nobody for a while."""

    for_s: float
    """From now on; 0 ends a silence."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTarget:
    """Where the hub sends messages, and how that goes. Its address and its secret stay on the hub."""

    name: str
    host: str
    severity_min: str
    waiting: int = 0
    """Messages that were not delivered yet."""
    attempts: int = 0
    """Of the first of them, so far."""
    trouble: str = ""
    """What came of the last attempt."""
    delivered: int = 0
    """Since the hub started, and of these …"""
    dropped: int = 0
    """… messages that were given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTestOutcome:
    """What came of a test message to one target."""

    target: str
    is_delivered: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSubject:
    """One subject in a message."""

    subject: str
    value: float
    text: str
    since: str
    """RFC 3339, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """The JSON body of a webhook. Fields are only added."""

    id: str
    """The same in every repetition: who has seen it drops it."""
    event: str
    """firing, resolved or test."""
    alert: str
    severity: str
    condition: str
    description: str
    at: str
    """RFC 3339, UTC."""
    text: str
    """All of it in one line."""
    unit: str = ""
    limit: float = 0.0
    subjects: list[MessageSubject] = field(default_factory=list)
    """The first of them where they are many, and …"""
    count: int = 0
    """… how many there are."""
    schema: int = SCHEMA
