"""What every machine of a world shares: time, the hub, the judges, the plan, and what is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.testing.laws.every_law import Laws
from ganglion.testing.world.bugs import Bug
from ganglion.testing.world.clock import Agenda
from ganglion.testing.world.hub import Hub
from ganglion.testing.world.scenario import Scenario


@dataclass(slots=True)
class Tally:
    """What happened, in numbers."""

    updates: int = 0
    reverts: int = 0
    made: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    up_bytes: float = 0.0
    down_bytes: float = 0.0
    power_cuts: int = 0
    restarts: int = 0
    epochs_renewed: int = 0
    worst_age_s: float = 0.0
    """The oldest that a record was when the hub stored it."""
    outbox_peak_bytes: int = 0
    first_shed_s: float | None = None
    reached: dict[str, dict[str, float]] = field(default_factory=dict)
    """By version: when each machine committed it for the first time."""


@dataclass(slots=True)
class Surroundings:
    """See the module docstring."""

    scenario: Scenario
    agenda: Agenda
    hub: Hub
    laws: Laws
    bugs: frozenset[Bug]
    seed: int
    limits: OutboxLimits
    tally: Tally
    note: Callable[[str], None]
    """Write a line of the timeline."""
