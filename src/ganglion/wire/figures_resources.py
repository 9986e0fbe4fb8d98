"""Figures of a whole fleet, as people and their programs read them under /api/v1; see `wire.resources`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something took, each time it happened. Without a single time there is nothing but the count."""

    count: int = 0
    mean_s: float | None = None
    median_s: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOf:
    """How many of how many."""

    count: int = 0
    total: int = 0
    share: float | None = None
    """None: of nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpread:
    """Which versions of a model the nodes in service serve."""

    model: str
    nodes: dict[str, int]
    """By version; those that serve none are not in it."""
    distinct: int
    main_version: str
    main_share: float
    """Share of the version that most nodes serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFigures:
    """How a fleet is run, over some days. `docs/reference/figures.md` says what each is measured from."""

    from_s: float
    to_s: float
    deployment_time_s: Spread
    """From the release of a version to the commit of the last node of its rollout."""
    update_success: ShareOf
    """Updates of nodes that ended with a commit."""
    failed_update_recovery_s: Spread
    """From the abort of a rollout until every node that could be reached was back."""
    time_to_detect_s: Spread
    """From the first node that was given a version to the abort of its rollout."""
    time_to_resolve_s: Spread
    """From the same moment until every node that could be reached was back."""
    sync_lag_s: Spread
    """How long ago the hub last heard of each node in service, at its last look."""
    records_waiting: int
    """Records that nodes had not sent yet, at the last look."""
    uptime: ShareOf
    """Nodes in service that could be reached, over all looks; while the hub is away nobody looks."""
    versions: list[VersionSpread] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One day as it is kept: its looks, and the figures over the thirty days that ended with it."""

    day: str
    """As 2026-11-21, UTC."""
    looks: int
    figures: FleetFigures
