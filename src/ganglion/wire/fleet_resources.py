"""What people and their programs read and write of the fleet as a whole under /api/v1; see `wire.resources`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDefinition:
    """Whom a group means: whoever the selector selects at the moment, and the nodes that are named."""

    select: str | None = None
    """`line=3,site=porto`; empty: every node; null: nobody."""
    nodes: list[str] = field(default_factory=list)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group, and who is in it now."""

    name: str
    select: str | None
    nodes: list[str]
    description: str
    owner: str
    """What made it, when no person did: `apply`."""
    count: int
    """Nodes in service that belong to it."""
    members: list[str]
    """Their names; the first thousand, and in a list of groups none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDefinition:
    """What people say of a site."""

    description: str = ""
    time_zone: str = ""
    """As `Europe/Lisbon`; empty: not said."""
    bytes_per_s_max: int = 0
    """What its nodes may bring together in a rollout, bytes per second, if the rollout does not ask for less; 0: no
    limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A site, declared or only used by nodes."""

    name: str
    description: str = ""
    time_zone: str = ""
    bytes_per_s_max: int = 0
    owner: str = ""
    declared: bool = False
    nodes: int = 0
    """Nodes that stand there and are neither retired nor revoked."""
    zones: list[str] = field(default_factory=list)
    """Zones of these nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDefinition:
    """What people say of a trust zone."""

    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneView:
    """A trust zone, declared or only used by nodes."""

    name: str
    description: str = ""
    owner: str = ""
    declared: bool = False
    nodes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeActionRequest:
    """Do the same to many nodes: all in one step, or nothing."""

    action: str
    """label, retire, revoke, admit, rekey or ask."""
    select: str | None = None
    """Whom; empty: every node that the action can concern."""
    nodes: list[str] = field(default_factory=list)
    """Whom besides, by name."""
    labels: dict[str, str | None] = field(default_factory=dict)
    """label only: what to set, and with null what to take away."""
    command: str = ""
    """ask only: see CommandRequest. An action of the envelope is asked for with the caller's own role."""
    count: int = 0
    expires_in_s: float = 3600.0
    reason: str = ""
    """It stands in the audit chain."""
    dry_run: bool = False
    """Only tell what would be done."""
    expected: int | None = None
    """How many nodes a dry run told would change; with another number by now, nothing is done."""
    arguments: list[str] = field(default_factory=list)
    """ask only: KEY=VALUE, for an action of the envelope that takes some."""


@dataclass(frozen=True, slots=True)
class NodeActionLine:
    """What an action means for one node."""

    node: str
    site: str
    outcome: str
    """changed, unchanged or refused."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeActionReply:
    """What was done, or would be."""

    action: str
    dry_run: bool
    changed: int
    unchanged: int
    refused: int
    nodes: list[NodeActionLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNode:
    """A node in a list that people keep: what they gave it, and nothing that proves anything."""

    name: str
    site: str = "default"
    zone: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    state: str = ""
    node_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetList:
    """The fleet as people keep it in a file: no keys, no tokens, no secrets."""

    nodes: list[FleetNode] = field(default_factory=list)
    sites: dict[str, SiteDefinition] = field(default_factory=dict)
    zones: dict[str, ZoneDefinition] = field(default_factory=dict)
    groups: dict[str, GroupDefinition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetImport:
    """Take over what a list says of nodes that are enrolled, and its sites, zones and groups."""

    fleet: FleetList
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetImportReply:
    """What was taken over, or would be."""

    dry_run: bool
    labelled: list[str]
    """Nodes whose labels change."""
    declared: list[str]
    """Sites, zones and groups that are made or change, as `site porto`."""
    unknown: list[str]
    """Names that no enrolled node has: they join with a token."""
