"""Where a node stands with its hub, and when it has been away for too long."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Protocol, TypeAlias

import msgspec

Absences: TypeAlias = Sequence[tuple[float, float]]
"""When the hub itself was away: from, to, in seconds since 1970."""


Seconds = Annotated[float, msgspec.Meta(ge=0)]


class StandingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a node is not let in without a person's word."""

    grace_s: Seconds = 30 * 86_400.0
    """A node that was away for longer is quarantined at its next contact; 0: never. The hub's absence is excused."""

    rekey_after_s: Seconds = 0.0
    """Nodes are asked for a new key when theirs is older; 0: never."""

    measured_allowed: dict[str, tuple[str, ...]] = {}
    """Values that a measured fact may have: `release`, `packages_sha256`, `image_sha256`. Without: any."""

    measured_quarantine: bool = False
    """A node that measures anything else is quarantined; otherwise an event tells of it."""


class StandingNode(Protocol):
    """What people and the hub decided about a node. Times are seconds since 1970; None: never."""

    @property
    def quarantined_at_s(self) -> float | None:
        """Since when it waits for a person."""
        ...

    @property
    def retired_at_s(self) -> float | None:
        """When it was taken out of service."""
        ...

    @property
    def revoked_at_s(self) -> float | None:
        """When it was told that it is not trusted."""
        ...


class KnownNode(StandingNode, Protocol):
    """What is kept of a node, as far as it matters here."""

    @property
    def enrolled_at_s(self) -> float:
        """When it joined."""
        ...

    @property
    def last_seen_at_s(self) -> float | None:
        """When it was last heard of."""
        ...

    @property
    def admitted_at_s(self) -> float | None:
        """When a person last let it back in."""
        ...


class Standing(StrEnum):
    """The states of a node. From each but the last two it may be retired or revoked."""

    PENDING = "pending"
    """Enrolled, and not heard of yet."""
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    """Refused until a person admits it again: it was away for too long, or measures something else than it should."""
    RETIRED = "retired"
    """Taken out of service by a person, without suspicion."""
    REVOKED = "revoked"
    """Not trusted any more."""


def standing_of(row: KnownNode) -> Standing:
    """Return where a node stands; the strongest word counts."""
    if row.revoked_at_s is not None:
        return Standing.REVOKED
    if row.retired_at_s is not None:
        return Standing.RETIRED
    if row.quarantined_at_s is not None:
        return Standing.QUARANTINED
    return Standing.PENDING if row.last_seen_at_s is None else Standing.ACTIVE


def takes_part(row: StandingNode) -> bool:
    """Say whether a rollout may count on the node, pending or active: others cannot reach the hub."""
    return row.revoked_at_s is None and row.retired_at_s is None and row.quarantined_at_s is None


def has_left(row: StandingNode) -> bool:
    """Say whether a node left the fleet for good, retired or revoked."""
    return row.revoked_at_s is not None or row.retired_at_s is not None


def away_s(row: KnownNode, *, now_s: float, absences: Absences) -> float:
    """Return how long a node could have spoken to the hub and did not: while the hub is away, nobody can."""
    heard_at_s = max(row.enrolled_at_s, row.last_seen_at_s or 0.0, row.admitted_at_s or 0.0)
    excused_s = sum(max(0.0, min(to_s, now_s) - max(from_s, heard_at_s)) for from_s, to_s in absences)
    return now_s - heard_at_s - excused_s
