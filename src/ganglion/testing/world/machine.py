"""What the parts of a machine know of the whole."""

from collections.abc import Callable
from typing import Protocol

from ganglion.node.domain.update.reconcile import ModelState
from ganglion.testing.chance import SeededChance
from ganglion.testing.world.disk import Disk
from ganglion.testing.world.link import Link
from ganglion.testing.world.surroundings import Surroundings
from ganglion.wire.desired import DesiredState
from ganglion.wire.records import EventRecord


class Machine(Protocol):
    """See `device.Device`."""

    around: Surroundings
    maker: int
    node_id: str
    name: str
    site: int
    chance: SeededChance
    link: Link
    disk: Disk
    powered: bool
    serving_up: bool
    serving_starts: int
    boot: int
    active: dict[str, set[str]]
    loaded: set[str]
    told_write: int
    image: str

    @property
    def now_s(self) -> float:
        """Return true time."""
        ...

    @property
    def wall_s(self) -> float:
        """Return what the machine's clock shows."""
        ...

    @property
    def works(self) -> bool:
        """Say whether the agent runs."""
        ...

    @property
    def model(self) -> ModelState:
        """Return what is stored of the model that is rolled out."""
        ...

    @property
    def serves(self) -> str:
        """Return the committed version."""
        ...

    @property
    def free_bytes(self) -> int:
        """Return how much of the disk is free."""
        ...

    def guarded(self, work: Callable[[], None]) -> None:
        """Carry out a step that a power cut may end."""
        ...

    def plan(self, delay_s: float, work: Callable[[], None]) -> None:
        """Plan a step of the agent."""
        ...

    def account(self) -> None:
        """Make the records of the time since this was last asked."""
        ...

    def write_event(self, event: EventRecord, *, write: int) -> None:
        """Append an event of the agent's own to the outbox."""
        ...

    def note_told(self, disk: Disk, write: int) -> None:
        """The hub has heard of a write."""
        ...

    def answered(self, version: str, requests: int) -> int:
        """Count answers of a version."""
        ...

    def take(self, desired: DesiredState) -> bool:
        """Take a desired state in."""
        ...

    def gets_through(self) -> bool:
        """Say whether the hub would answer now."""
        ...

    def report_soon(self) -> None:
        """A change is reported at once."""
        ...

    def kill_serving(self, for_s: float = ...) -> None:
        """Kill the serving process."""
        ...

    def activate(self, model: str, version: str, digest: str, *, keeps: bool = False) -> None:
        """Let a version answer from now on."""
        ...

    def check_serving(self) -> None:
        """Let law 1 look."""
        ...
