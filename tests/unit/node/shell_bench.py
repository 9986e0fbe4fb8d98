"""A node that can be asked for a shell, with everything around it in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import msgspec

from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.node.services.orders.held_shell import ShellPorts
from ganglion.node.services.orders.shells import Shells
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_shell import MemoryBoard, MemoryLine, MemoryRecordings, MemoryStarter
from ganglion.trust import shell
from ganglion.trust.envelope import NamedAction
from ganglion.trust.shell import ShellWish
from ganglion.wire.desired import NodeCommand
from ganglion.wire.records import EventRecord

ACTION = NamedAction(name="shell", command=("/bin/sh", "-i"), time_s=600.0)
ENABLED = ShellLimits(enabled=True)
PATIENCE_S = 30.0


@dataclass
class Machine:
    """A node that can be asked for a shell."""

    limits: ShellLimits = ENABLED
    action: NamedAction | None = ACTION
    clock: FakeClock = field(default_factory=FakeClock)
    starter: MemoryStarter = field(default_factory=MemoryStarter)
    recordings: MemoryRecordings = field(default_factory=MemoryRecordings)
    board: MemoryBoard = field(default_factory=MemoryBoard)
    line: MemoryLine = field(default_factory=MemoryLine)
    events: list[EventRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        ports = ShellPorts(starter=self.starter, recordings=self.recordings, board=self.board, line=self.line, pid=1)
        self.shells = Shells(
            limits=self.limits, ports=ports, clock=self.clock, action=lambda: self.action, tell=self._tell
        )

    async def _tell(self, events: Sequence[EventRecord]) -> None:
        self.events += events

    def order(self, *, seconds: int = 300, id_: str = "s1", **changes: object) -> NodeCommand:
        plain = NodeCommand(
            id=id_,
            name=shell.NAME,
            expires_at_s=utc_s(self.clock) + shell.ORDER_LIFE_S,
            arguments=shell.arguments_of(ShellWish(seconds=seconds, reason="camera is stuck")),
            person="ada",
            role="admin",
        )
        return msgspec.structs.replace(plain, **changes)

    def hold(self, *until: Callable[[], object], order: NodeCommand | None = None) -> None:
        """Open a session, and run the node until each of these has become true, one after the other."""

        async def live() -> None:
            with anyio.fail_after(PATIENCE_S):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self.shells.run)
                    if order is not None:
                        await self.shells.open(order)
                    for condition in until:
                        await self._reached(condition)
                    tasks.cancel_scope.cancel()

        anyio.run(live)

    async def _reached(self, condition: Callable[[], object]) -> None:
        # The threads of a session look at the fake clock; this looks at what they did.
        while not condition():
            await anyio.lowlevel.checkpoint()

    def told(self, name: str) -> list[dict[str, str]]:
        return [event.facts for event in self.events if event.name == name]

    @property
    def is_over(self) -> bool:
        return bool(self.told("shell.closed"))

    @property
    def closed_by(self) -> str:
        (facts,) = self.told("shell.closed")
        return facts["closed_by"]


def a_machine(**changes: object) -> Machine:
    limits = msgspec.structs.replace(ENABLED, **changes)
    return Machine(limits=limits)
