"""A whole agent, on a real link to a hostile hub, beside a serving process that answers all the while."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import msgspec

from attacks.hostile_hub import NODE, Hub, Node
from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.system import SystemClock
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.domain.sending.reporting import ReportSettings
from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.services import stored_state
from ganglion.node.services.agent import Agent, AgentSettings, Machine, Wishes
from ganglion.node.services.limits import EnvelopeWatch, NodeLimits
from ganglion.node.services.orders.commands import Commands
from ganglion.node.services.orders.held_shell import ShellPorts
from ganglion.node.services.orders.orders import OrderPorts, Orders
from ganglion.node.services.orders.shells import Shells
from ganglion.node.services.places import Places
from ganglion.node.services.sending.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.updates import Updates
from ganglion.ports.serving_control import ActiveModels
from ganglion.testing.chance import SeededChance
from ganglion.testing.memory_shell import MemoryBoard, MemoryLine, MemoryRecordings, MemoryStarter
from ganglion.trust import shell
from ganglion.trust.limits import Place
from ganglion.wire.desired import NodeCommand
from ganglion.wire.identity import NodeFacts
from ganglion.wire.records import EventRecord
from unit.node.builders import an_installed
from unit.node.order_bench import Runner
from unit.node.update_bench import FakeServing, ScriptedEffects

PATIENCE_S = 20.0
_QUICK = BackoffPolicy(first_s=0.01, max_s=0.05)


@dataclass
class HostileWorld:
    """One node of which everything but the serving process and the effects of updates is real."""

    hub: Hub
    directory: Path
    serving: FakeServing = field(default_factory=FakeServing)
    runner: Runner = field(default_factory=Runner)
    done: list[str] = field(default_factory=list)
    """What was built in and carried out."""
    updates: Updates = field(init=False)
    shell: ShellLimits = field(default_factory=ShellLimits)
    """What the machine itself says of shells."""
    starter: MemoryStarter = field(default_factory=MemoryStarter)
    line: MemoryLine = field(default_factory=MemoryLine)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True)
        self._node = Node(self.hub, self.directory / "link", clock=self.hub.clock)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Run the node until something is so, with what it had stored before."""

        async def live() -> None:
            store = self._open()
            try:
                with anyio.fail_after(PATIENCE_S):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._agent(store).run)
                        while not is_so():  # noqa: ASYNC110 - the hub answers in threads of its own
                            await anyio.sleep(0.01)
                        tasks.cancel_scope.cancel()
            finally:
                store.close()

        anyio.run(live)

    @property
    def answers(self) -> str:
        """The version of the model that answers now."""
        return self.serving.active.get("meter", "")

    @property
    def told(self) -> Sequence[str]:
        """What the hub was told of refusals."""
        return [report.refused for report in self.hub.told if report.refused]

    def events(self, name: str) -> list[str]:
        return [event.reason for event in self.hub.events if event.name == name]

    def _open(self) -> SqliteAgentStore:
        return SqliteAgentStore(
            self.directory / "agent.db", limits=OutboxLimits(total_bytes_max=5_000_000), new_epoch=lambda: "epoch"
        )

    def _agent(self, store: SqliteAgentStore) -> Agent:
        places, clock, chance = Places(self.directory), SystemClock(), SeededChance(1)
        self._node.start()
        link, data = self._node.link, store.state()
        served = NodeState(models={"meter": ModelState(committed=an_installed("1"))})
        self.updates = Updates(
            store=store,
            control=self.serving,
            effects=ScriptedEffects(self.serving),  # type: ignore[arg-type]  # the script stands in for the class
            alignment=Alignment(
                control=self.serving, places=places, replace_file=lambda _data: None, written=ActiveModels()
            ),
            clock=self.hub.clock,
            chance=chance,
            state=stored_state.load_state(data) if data else served,
            retry=_QUICK,
        )
        self.updates.limits = NodeLimits(place=Place(node="gate", site="north"), clock=self.hub.clock).in_force
        envelopes = EnvelopeWatch(link)
        shells = self._shells()
        ports = OrderPorts(
            runner=self.runner,
            built_in={name: partial(self._do, name) for name in ("sync", "restart-serving")}
            | {shell.NAME: shells.open},
            order_keys=lambda: envelopes.order_keys,
            check_shell=shells.check,
        )
        orders = Orders(node_id=NODE, updates=self.updates, clock=self.hub.clock, ports=ports)
        return Agent(
            link=link,
            control=self.serving,
            store=store,
            wishes=Wishes(self.updates, Commands(self.serving, self.updates, orders), orders, envelopes, None, shells),
            forwarder=Forwarder(
                store=store,
                link=link,
                clock=clock,
                chance=chance,
                retry=_QUICK,
                settings=msgspec.structs.replace(ForwarderSettings(), flush_s=0.01),
            ),
            intake=JournalIntake(
                store=store, journal=JournalReader(places.journal), clock=clock, settings=IntakeSettings(),
                results_share=lambda: 1.0,
            ),
            machine=Machine(NodeFacts("any", "onnxruntime", cores=1, memory_bytes=1, release="0"), dict),
            chance=chance,
            clock=clock,
            settings=AgentSettings(
                retry=_QUICK, reports=ReportSettings(report_s=1.0), step_s=0.01, idle_s=0.01, long_poll_s=0.0
            ),
        )  # fmt: skip

    def _shells(self) -> Shells:
        async def tell(events: Sequence[EventRecord]) -> None:
            await self.updates.remember(lambda state: state, events)

        ports = ShellPorts(
            starter=self.starter, recordings=MemoryRecordings(), board=MemoryBoard(), line=self.line, pid=1
        )
        return Shells(
            limits=self.shell,
            ports=ports,
            clock=self.hub.clock,
            action=lambda: self.updates.limits(self.updates.state).action(shell.NAME),
            tell=tell,
        )

    async def _do(self, name: str, _command: NodeCommand) -> str:
        self.done.append(name)
        return "done"
