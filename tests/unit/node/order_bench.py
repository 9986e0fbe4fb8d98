"""The workbench of orders: real updates and limits over a store in memory, and a runner that records."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from ganglion.node.domain.orders.held_envelope import HeldEnvelope
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.limits import NodeLimits
from ganglion.node.services.orders.commands import Commands
from ganglion.node.services.orders.orders import OrderPorts, Orders
from ganglion.node.services.update.updates import Updates
from ganglion.ports.action_runner import ActionCall, ActionOutcome
from ganglion.ports.clock import utc_s
from ganglion.ports.serving_control import ServingControl
from ganglion.trust import envelope, orders
from ganglion.trust.envelope import ArgumentRule, Envelope, Limits, NamedAction
from ganglion.trust.limits import Place
from ganglion.trust.orders import OrderStatement
from ganglion.trust.roles import Role
from ganglion.wire.desired import CollectionSettings, DesiredState, NodeCommand
from ganglion.wire.records import EventRecord
from unit.node.update_bench import Bench

NODE = "node-1"
HUB_KEY, STRANGER = bytes([1]) * 32, bytes([2]) * 32
PUBLIC = orders.sign(HUB_KEY, OrderStatement(node_id="", id="", name="", expires_at_s=0, person="", role="")).key_id
DISK = NamedAction(
    name="disk",
    command=("/bin/df", "-h", "{path}"),
    arguments={"path": ArgumentRule(pattern="/var/*")},
    output_bytes=1000,
)
RESTRICTED = NamedAction(name="restricted", command=("/bin/true",), roles=(Role.ADMIN,))
SETTINGS = CollectionSettings(random_share=0.5)
LIFE_S = 600.0


class Runner:
    """Remembers what it was told to run, and answers as it was made to."""

    def __init__(self) -> None:
        self.calls: list[ActionCall] = []
        self.outcome = ActionOutcome(0, b"plenty of room\n")
        self.error: Exception | None = None
        self.is_stopped = False

    def run(self, call: ActionCall) -> ActionOutcome:
        self.calls.append(call)
        if self.error is not None:
            raise self.error
        return self.outcome

    def stop(self) -> None:
        self.is_stopped = True


class OrderBench:
    """A node that can be asked, and restarted."""

    def __init__(
        self,
        directory: Path,
        *,
        actions: Sequence[NamedAction] = (DISK, RESTRICTED),
        serving: ServingControl | None = None,
    ) -> None:
        document = envelope.encode(Envelope(limits=Limits(actions=tuple(actions))))
        held = HeldEnvelope(version=1, expires_at_s=1e12, document=document)
        self.runner, self.built_in_done = Runner(), 0
        self.bench = Bench(directory, NodeState(envelope=held))
        self.serving = serving or self.bench.serving
        self.start()

    def start(self) -> None:
        """Begin as after a restart of the agent: only what was stored is known."""
        self.bench.updates = self._updates()
        self.orders = Orders(
            node_id=NODE,
            updates=self.bench.updates,
            clock=self.bench.clock,
            ports=OrderPorts(runner=self.runner, built_in={"sync": self._sync}, order_keys=lambda: (PUBLIC,)),
        )
        self.commands = Commands(self.serving, self.bench.updates, self.orders)

    def _updates(self) -> Updates:
        updates = self.bench.restarted(self.bench.updates.state)
        updates.limits = NodeLimits(place=Place(), clock=self.bench.clock).in_force
        return updates

    async def _sync(self, _command: NodeCommand) -> str:
        self.built_in_done += 1
        return "done"

    @property
    def now_s(self) -> float:
        return utc_s(self.bench.clock)

    def command(self, name: str = "disk", *arguments: str, **fields: object) -> NodeCommand:
        """Return a command that the hub has not signed."""
        plain = NodeCommand(
            id="c1", name=name, expires_at_s=self.now_s + LIFE_S, arguments=arguments, person="ada", role="operator"
        )
        return msgspec.structs.replace(plain, **fields)

    def asked(self, name: str = "disk", *arguments: str, **fields: object) -> NodeCommand:
        """Return a command that the hub has signed."""
        return signed(self.command(name, *(arguments or (("path=/var/log",) if name == "disk" else ())), **fields))

    def ask(self, *commands: NodeCommand) -> dict[str, str]:
        """Give the node a desired state with these commands, let it finish, and return its answers."""
        held = self.bench.updates.state.desired
        desired = DesiredState(
            incarnation="a", revision=held.revision + 1 if held else 1, collection=SETTINGS, commands=commands
        )

        async def follow() -> None:
            await self.bench.updates.take(desired)
            taken = self.bench.updates.state.desired
            assert taken is not None
            await self.commands.obey(taken)
            for command in taken.commands:
                await self.orders.carry_out(command)

        anyio.run(follow)
        return self.orders.answers

    def events(self, name: str) -> list[EventRecord]:
        return [event for event in self.bench.store.events if event.name == name]


def signed(command: NodeCommand, *, key: bytes = HUB_KEY, node_id: str = NODE) -> NodeCommand:
    statement = OrderStatement(
        node_id=node_id,
        id=command.id,
        name=command.name,
        arguments=command.arguments,
        count=command.count,
        expires_at_s=command.expires_at_s,
        person=command.person,
        role=command.role,
    )
    done = orders.sign(key, statement)
    return msgspec.structs.replace(
        command, statement=done.payload, statement_key=done.key_id, statement_signature=done.signature
    )


async def run_until_still(node: OrderBench) -> None:
    """Run the loop of orders until nothing is left to do, and end it."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(node.orders.run)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
