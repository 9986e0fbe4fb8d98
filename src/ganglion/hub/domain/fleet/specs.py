"""The resources with which a fleet is declared in files: their fields and their schemas. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from ganglion.wire.alert_resources import AlertCondition, Severity

API_VERSION = "ganglion/v1"
SITE, GROUP, NODE, FLEET = "site", "group", "node", "fleet"


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stands below `spec`. A field that nobody knows is refused: a slip must not be taken for a wish."""


class GroupSpec(_Spec, frozen=True, kw_only=True):
    """Nodes that belong together."""

    select: str | None = None
    """Whoever meets this selector, now and later: `line=3,site=porto`."""
    nodes: tuple[str, ...] = ()
    """These nodes besides."""
    description: str = ""


class SiteSpec(_Spec, frozen=True, kw_only=True):
    """What is said of a site."""

    description: str = ""
    time_zone: str = ""
    """As `Europe/Lisbon`."""
    bytes_per_s_max: int = 0


class ZoneSpec(_Spec, frozen=True, kw_only=True):
    """What is said of a trust zone."""

    description: str = ""


class RolloutPolicySpec(_Spec, frozen=True, kw_only=True):
    """Defaults of rollouts, by name: what `rollout start` takes as options."""

    stages: tuple[str, ...] = ("5%", "25%", "100%")
    gate: dict[str, float | int | str] = {}
    """Fields of the gate that differ from its defaults."""
    probation: dict[str, float | int] = {}
    """Fields of the probation that differ from its defaults."""
    approvals: int = 0
    if_busy: str = "refuse"
    site_parallel_max: int = 0
    site_bytes_per_s_max: int = 0
    windows: tuple[str, ...] = ()


class AssignmentSpec(_Spec, frozen=True, kw_only=True):
    """Which version of a model some nodes should have. A rollout brings it, and its gate decides."""

    model: str
    version: str
    to: str = ""
    """`group:NAME`; with neither this nor `select`: the fleet, with all nodes to come."""
    select: str | None = None
    policy: str = ""
    """Name of a RolloutPolicy; empty: the defaults."""


class SettingsSpec(_Spec, frozen=True, kw_only=True):
    """Settings of nodes, for the fleet, a group, a site or one node."""

    scope: str
    """`fleet`, `group:NAME`, `site:NAME` or `node:NAME`."""
    settings: dict[str, str | int | float | bool | tuple[str, ...]]
    """By key, as `ganglion node settings --explain` lists them."""


class AlertSpec(_Spec, frozen=True, kw_only=True):
    """What people want to be told: a condition of a closed set, its limit, and how long it must last."""

    condition: AlertCondition
    description: str = ""
    severity: Severity = Severity.WARNING
    to: str = ""
    """`group:NAME`; with neither this nor `select`: every node."""
    select: str | None = None
    limit: float | None = None
    """In the unit of the condition; not given: its default."""
    per: Literal["", "node", "site", "fleet"] = ""
    """What it is about: each node, each site, or all of them together. Empty: as the condition has it."""
    at_least: str = "1"
    """How many nodes of a site or of the fleet make it true: a number, or a share such as `10%`."""
    model: str = ""
    """Of one model alone; empty: of each."""
    check: str = ""
    """node_unwell: of this health check alone, such as `clock`; empty: of any."""
    within_s: float = 0.0
    """How far back it looks, where it counts what happened; 0: as the condition has it."""
    for_s: float = 300.0
    """How long it must be true before anybody is told."""
    resolve_after_s: float = 300.0
    """How long it must be over before it is told to be over."""


Spec: TypeAlias = GroupSpec | SiteSpec | ZoneSpec | RolloutPolicySpec | AssignmentSpec | SettingsSpec | AlertSpec
Claims: TypeAlias = frozenset[tuple[str, str]]
"""Settings that are declared: (scope, key)."""
KINDS: Mapping[str, type[Spec]] = {
    "Site": SiteSpec,
    "Zone": ZoneSpec,
    "Group": GroupSpec,
    "RolloutPolicy": RolloutPolicySpec,
    "Settings": SettingsSpec,
    "Assignment": AssignmentSpec,
    "Alert": AlertSpec,
}
"""In the order in which they are applied: what is referred to comes first."""


def references(spec: Spec) -> list[tuple[str, tuple[str, str]]]:
    """Return which resources a spec names, and in which field."""
    match spec:
        case AssignmentSpec():
            policy = [("spec.policy", ("RolloutPolicy", spec.policy))] if spec.policy else []
            group = [("spec.to", ("Group", spec.to.removeprefix("group:")))] if spec.to else []
            return [*policy, *group]
        case AlertSpec():
            return [("spec.to", ("Group", spec.to.removeprefix("group:")))] if spec.to else []
        case SettingsSpec():
            scope, name = place_of(spec)
            return [("spec.scope", ("Group", name))] if scope == GROUP else []
        case RolloutPolicySpec():
            named = [stage.removeprefix("group:") for stage in spec.stages if stage.startswith("group:")]
            return [("spec.stages", ("Group", name)) for name in named]
        case _:
            return []


def place_of(spec: SettingsSpec) -> tuple[str, str]:
    """Return the scope of settings and the name of the group, site or node."""
    scope, _, name = spec.scope.partition(":")
    return scope, name


def claims_of(specs: Iterable[Spec]) -> Claims:
    """Return which settings of which place specs set."""
    return frozenset((spec.scope, key) for spec in specs if isinstance(spec, SettingsSpec) for key in spec.settings)


def tree_of(spec: Spec) -> dict[str, object]:
    """Return a spec as plain values, without what is at its default."""
    return msgspec.to_builtins(spec)  # type: ignore[no-any-return]  # a struct becomes a dict


def schema(kind: str) -> dict[str, object]:
    """Return the JSON Schema of a whole resource. Raises: KeyError: no such kind."""
    spec = msgspec.json.schema(KINDS[kind])
    name = spec["$ref"].removeprefix("#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {"name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}},
            },
            "spec": {"$ref": f"#/$defs/{name}"},
        },
        "$defs": spec["$defs"],
    }
