"""What a machine keeps when its power is cut, and how a write may end."""

from dataclasses import dataclass, field

from ganglion.node.domain.update.reconcile import NodeState
from ganglion.testing.world.outbox import Outbox


class PowerLost(Exception):
    """The machine is off, in the middle of whatever it did."""


@dataclass(slots=True)
class Part:
    """A download that is under way."""

    digest: str
    bytes_done: float = 0.0
    spoiled: bool = False
    """Something in it is not what was sent: the length does not tell."""


@dataclass(slots=True)
class Disk:
    """State and outbox are one database: a write changes both or neither."""

    outbox: Outbox
    state: NodeState = field(default_factory=NodeState)
    packages: dict[str, str] = field(default_factory=dict)
    """By the digest that a package should have: the digest that it has."""
    part: Part | None = None
    write: int = 0
    """How many writes of the state there were …"""
    records_write: int = 0
    """… and the one that the newest records of it belong to."""
    loses: bool | None = None
    """The power is cut at the next write: True, before it counts; False, after it does. None: it is not."""
    spoils_next: bool = False
    """The next download will not be what was sent."""
    full: int = 0
    failing: int = 0

    def image(self) -> "Disk":
        """Return a copy, as a backup or a clone has it."""
        part = Part(self.part.digest, self.part.bytes_done, self.part.spoiled) if self.part else None
        return Disk(
            outbox=self.outbox.copy(),
            state=self.state,
            packages=dict(self.packages),
            part=part,
            write=self.write,
            records_write=self.records_write,
        )
