"""What people read and write of nodes' settings and commands, and of the hub itself; see `wire.resources`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatus:
    """How the hub itself is doing."""

    release: str
    takes_records: bool
    """False: its disk has less room than it must keep, so nodes keep their records for now."""
    disk_free_bytes: int
    disk_free_bytes_min: int
    telemetry_bytes: int
    """What is kept of all that nodes sent."""
    telemetry_bytes_max: int
    removed: dict[str, int] = field(default_factory=dict)
    """Rows that were removed, or folded into hours, since the hub started, by kind."""
    retention_at_s: float | None = None
    """When it last looked for what is too old."""
    long_polls: int = 0
    batches_in_progress: int = 0
    batches_turned_away: int = 0
    """Nodes that were told to come again, and have not come back yet."""


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """Settings of a node, a site, a group or the fleet: values to set, as text, and keys to leave to the wider one."""

    set: dict[str, str] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    priority: int | None = None
    """Of a group among others that a node is in: the higher one wins."""


@dataclass(frozen=True, slots=True)
class SettingsDocument:
    """What is set for one node, one site, one group or the fleet; values are JSON."""

    scope: str
    """fleet, group, site or node."""
    name: str
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting of a node; `value` is JSON."""

    key: str
    value: str
    source: str
    """default, fleet, group NAME, site NAME or node NAME."""
    overrides: list[str] = field(default_factory=list)
    """What was chosen otherwise by wider ones, the nearest first: source and value."""


@dataclass(frozen=True, slots=True)
class NodeSettingsView:
    """Every setting of a node, and who chose it: the node, its site, a group, the fleet, or nobody; in this order."""

    node: str
    site: str
    revision: int
    settings: list[SettingLine]
    told: str = ""
    """What the node says of them: applied, trying, set_aside or failed, of which revision, and why."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """Ask a node to do something once."""

    name: str
    """report, collect, sync, restart-serving, or an action that the envelope names."""
    count: int = 0
    """collect only: how many inputs to keep."""
    expires_in_s: float = 3600.0
    arguments: list[str] = field(default_factory=list)
    """KEY=VALUE, for an action of the envelope that takes some."""


@dataclass(frozen=True, slots=True)
class CommandView:
    """Something that a node was asked to do."""

    id: str
    node: str
    name: str
    count: int
    expires_at_s: float
    given_by: str
    state: str
    """waiting, expired, done, or why not."""
    arguments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """What came of a command."""

    id: str
    node: str
    name: str
    arguments: list[str]
    given_by: str
    answer: str
    """done, or why not; empty while the node has not said."""
    exit: int | None = None
    """Exit code of an action that ran; below 0 the number of the signal that ended it."""
    output: str | None = None
    """What it wrote, without what looked like a secret; None while it has not arrived, or for what has no output."""
    ended_by: str = ""
    """time or output, when a limit ended it."""
