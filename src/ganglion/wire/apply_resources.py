"""What people and their programs send and read of a fleet that is declared in files; see `wire.resources`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetResource:
    """One resource of a file, as it was written."""

    api_version: str
    kind: str
    name: str
    spec: dict[str, object] = field(default_factory=dict)
    source: str = ""
    """Where it stands, for messages: `groups.yaml:12`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """Make the fleet what the resources say: all of it, or nothing."""

    resources: list[FleetResource]
    prune: bool = False
    """Remove what an earlier apply made and the resources do not name any more; never what a person made."""
    expected: str = ""
    """The digest of a plan that was looked at; when the plan is another by now, nothing is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyProblem:
    """Why a resource cannot be applied."""

    source: str
    kind: str
    name: str
    path: str
    """Which field, as `spec.nodes[0]`."""
    reason: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs; values are JSON, and empty where there is none."""

    path: str
    was: str
    will_be: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """What applying means for one resource."""

    action: str
    """create, change, remove, start (a rollout), keep, or wait (a rollout that runs, or that the gate has ended)."""
    kind: str
    name: str
    source: str = ""
    changes: list[FieldChange] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReply:
    """A plan, and whether it was carried out."""

    applied: bool
    digest: str
    lines: list[PlanLine]
    problems: list[ApplyProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicyView:
    """Named defaults of rollouts; `spec` is JSON."""

    name: str
    spec: str
    owner: str = ""
