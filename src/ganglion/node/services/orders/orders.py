"""Orders: what a person asks of this node through its hub, signed by the hub and bounded by the envelope.

Each is looked at once: verified, written down as begun, carried out, written down as ended. A kill in between leaves it
begun, and what had begun is not done again. One is carried out at a time, beside everything else that the agent does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, GanglionError, InvalidRequest
from ganglion.node.domain.orders import bounds
from ganglion.node.domain.orders.order_memory import BEGUN
from ganglion.node.domain.sending.pace import Pace
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.update import order_telling as telling
from ganglion.node.services.update.updates import Updates
from ganglion.ports.action_runner import ActionCall, ActionOutcome, ActionRunner
from ganglion.ports.clock import Clock, utc_s
from ganglion.trust import actions, orders, shell
from ganglion.trust.envelope import NamedAction
from ganglion.trust.orders import OrderStatement, SignedOrder
from ganglion.wire.desired import DesiredState, NodeCommand
from ganglion.wire.records import EventRecord

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """What a built-in order found out. Whoever makes it has taken secrets out."""

    text: str


Deed: TypeAlias = Callable[[NodeCommand], Awaitable[str | Told]]
"""Something built in: returns done, or why not, or what it found out. Raises: GanglionError."""
DONE: Final = "done"
AT_ONCE: Final = ("report", "collect")
"""Not orders: `commands` does them. Harmless within the limits of settings: an earlier hub asks for them unsigned."""
_PACES: Final = {"restart-serving": Pace(burst=2, every_s=600.0)}
"""Nobody keeps a node from serving by asking it to start again and again."""
_PACE: Final = Pace(burst=20, every_s=10.0)


def _no_shell(_command: NodeCommand, _action: NamedAction | None) -> None:
    raise InvalidRequest("this node opens no shells")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPorts:
    """What carries orders out."""

    runner: ActionRunner
    built_in: dict[str, Deed]
    order_keys: Callable[[], tuple[str, ...]]
    """Keys that may sign orders, as the newest root names them."""
    check_shell: Callable[[NodeCommand, NamedAction | None], None] = _no_shell
    """Looks at an order for a shell before it begins; the action is what the envelope names. Raises: Rejected."""


def _unheard() -> None:
    """Nobody reports."""


class Orders:
    """Carries out what arrives with desired states."""

    def __init__(self, *, node_id: str, updates: Updates, clock: Clock, ports: OrderPorts) -> None:
        self._node_id, self._updates, self._clock, self._ports = node_id, updates, clock, ports
        self.ended: Callable[[], None] = _unheard
        """Called when there is something new to report."""
        self._waiting: list[NodeCommand] = []
        self._wake = anyio.Event()
        self._paces = dict(_PACES)

    @property
    def answers(self) -> dict[str, str]:
        """What came of the newest orders, by id."""
        return self._updates.state.orders.answers

    def take(self, desired: DesiredState) -> None:
        """Carry out, soon, what is new in this state."""
        orders = self._updates.state.orders
        self._waiting = [each for each in desired.commands if each.name not in AT_ONCE and orders.is_new(each)]
        self._wake.set()

    async def run(self) -> None:
        """Carry out what was taken, one by one, until cancelled; then whatever runs is ended."""
        try:
            await self._tell_interrupted()
            while True:
                self._wake = anyio.Event()
                while self._waiting:
                    await self._try(self._waiting.pop(0))
                await self._wake.wait()
        finally:
            self._ports.runner.stop()

    async def _tell_interrupted(self) -> None:
        try:
            await self._updates.remember(_interrupted)
        except DataCorrupt:
            raise
        except GanglionError as error:
            log.warning("command.untold", code=error.code, reason=error.message)

    async def _try(self, command: NodeCommand) -> None:
        try:
            await self.carry_out(command)
        except DataCorrupt:
            raise
        except GanglionError as error:
            # What could not be written down was not begun; it comes again with the next state.
            log.error("command.delayed", command_id=command.id, code=error.code, reason=error.message)  # noqa: TRY400 - expected

    async def carry_out(self, command: NodeCommand) -> None:
        """Carry one order out, unless it was heard of before. Whatever goes wrong is its answer."""
        if not self._updates.state.orders.is_new(command):
            return
        is_believed = False
        try:
            self._believe(command)
            is_believed = True
            action = self._allowed(command)
        except GanglionError as error:
            await self._refuse(command, error.message, is_believed=is_believed)
            return
        # Written down before it begins: a kill from here on must not have it done twice.
        await self._updates.remember(_remembering(command, BEGUN), [telling.begun(command)])
        answer, event = await self._do(command, action)
        await self._answer(command, answer, event)

    async def _refuse(self, command: NodeCommand, why: str, *, is_believed: bool) -> None:
        event = self._updates.refused_orders.told(telling.refused(command, why), now_s=self._clock.monotonic_s())
        if event is None:
            # A flood must wear out neither disk nor audit chain. It comes again with the next state.
            log.debug("command.refused", command_id=command.id, reason=why)
            return
        await self._answer(command, why, event, is_believed=is_believed)

    async def _answer(self, command: NodeCommand, answer: str, event: EventRecord, *, is_believed: bool = True) -> None:
        await self._updates.remember(_remembering(command, answer, is_believed=is_believed), [event])
        log.info("command.obeyed", command=command.name, command_id=command.id, outcome=answer, person=command.person)
        self.ended()

    def _believe(self, command: NodeCommand) -> None:
        """Make sure that the hub has signed this order, for now. Raises: ArtifactUntrusted, InvalidRequest."""
        state = self._updates.state
        life_s_max = self._updates.limits(state).command_life_s_max
        why = state.orders.why_not_now(command, now_s=utc_s(self._clock), life_s_max=life_s_max)
        if why:
            raise InvalidRequest(why)
        signed = SignedOrder(command.statement, command.statement_key, command.statement_signature)
        orders.verify(self._ports.order_keys(), signed, self._statement(command))

    def _allowed(self, command: NodeCommand) -> ActionCall | None:
        """Return what to run, or None for what is built in. Raises: InvalidRequest."""
        limits = self._updates.limits(self._updates.state)
        why = bounds.why_no_command(command, limits)
        if why:
            raise InvalidRequest(why)
        action = limits.action(command.name)
        if command.name == shell.NAME:
            # Whatever an envelope says of it, this is no program that runs to its end.
            self._ports.check_shell(command, action)
        call = _call(action, command) if action and command.name != shell.NAME else None
        self._check_pace(command.name)
        return call

    def _statement(self, command: NodeCommand) -> OrderStatement:
        return OrderStatement(
            node_id=self._node_id,
            id=command.id,
            name=command.name,
            arguments=command.arguments,
            count=command.count,
            expires_at_s=command.expires_at_s,
            person=command.person,
            role=command.role,
        )

    def _check_pace(self, name: str) -> None:
        now_s = self._clock.monotonic_s()
        pace = self._paces.get(name, _PACE)
        wait_s = pace.wait_s(now_s=now_s)
        if wait_s > 0.0:
            raise InvalidRequest(f"it was asked for too often; ask again in {wait_s:.0f} s")
        self._paces[name] = pace.after(now_s=now_s)

    async def _do(self, command: NodeCommand, action: ActionCall | None) -> tuple[str, EventRecord]:
        try:
            if action is None:
                answer = await self._deed(command.name)(command)
                if isinstance(answer, Told):
                    return DONE, telling.told(command, answer.text)
                return answer, telling.ended(command, answer)
            outcome = await self._run(action)
        except GanglionError as error:
            return error.message, telling.ended(command, error.message)
        except Exception as error:
            # The outermost edge of one order: a mistake in it must not end the agent, which others could do at will.
            log.exception("command.failed", command=command.name, command_id=command.id)
            why = f"the node failed at it: {type(error).__name__}"
            return why, telling.ended(command, why)
        # Looking for secrets in much output takes a while.
        event = await anyio.to_thread.run_sync(telling.ran, command, outcome)
        return telling.answer_of(outcome), event

    def _deed(self, name: str) -> Deed:
        deed = self._ports.built_in.get(name)
        if deed is None:
            raise InvalidRequest(f"this node cannot do {name[:64]!r} as an order")
        return deed

    async def _run(self, action: ActionCall) -> ActionOutcome:
        # The thread is left behind when the agent ends; `runner.stop` ends what it waits for.
        return await anyio.to_thread.run_sync(self._ports.runner.run, action, abandon_on_cancel=True)


def _call(action: NamedAction, command: NodeCommand) -> ActionCall:
    if command.role not in {role.value for role in action.roles}:
        raise InvalidRequest(f"the envelope does not let the role {command.role[:20]!r} ask for {action.name}")
    line = actions.command_of(action, command.arguments)
    return ActionCall(line, action.directory, action.time_s, action.output_bytes)


def _remembering(command: NodeCommand, answer: str, *, is_believed: bool = True) -> Callable[[NodeState], NodeState]:
    def change(state: NodeState) -> NodeState:
        return msgspec.structs.replace(state, orders=state.orders.after(command, answer, is_believed=is_believed))

    return change


def _interrupted(state: NodeState) -> NodeState:
    after = state.orders.after_restart()
    return state if after == state.orders else msgspec.structs.replace(state, orders=after)
