"""What the hub asks a node to do once. `report` and `collect` are done at once; the rest are orders.

Each command is done when it is first heard of, also across restarts, and its outcome reported.
"""

from collections.abc import Callable

import anyio
import msgspec
import structlog

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.domain.update.reconcile import NodeState
from ganglion.node.services.orders.orders import AT_ONCE, DONE, Orders
from ganglion.node.services.update.updates import Updates
from ganglion.ports.serving_control import Collect, Refused, ServingControl
from ganglion.wire.desired import DesiredState, NodeCommand

log = structlog.get_logger()

_TIMEOUT_S = 10.0


class Commands:
    """Obeys."""

    def __init__(self, control: ServingControl, updates: Updates, orders: Orders) -> None:
        self._control, self._updates, self._orders = control, updates, orders
        self._one_at_a_time = anyio.Lock()

    @property
    def answers(self) -> dict[str, str]:
        """What came of the newest commands, by id: done, or why not."""
        return self._updates.state.orders.answers

    async def obey(self, desired: DesiredState) -> None:
        """Do what was not done yet, and hand on what takes longer."""
        async with self._one_at_a_time:
            for command in desired.commands:
                if command.name in AT_ONCE and self._updates.state.orders.is_new(command):
                    answer = await self._do(command)
                    await self._updates.remember(_remembering(command, answer))
                    log.info("command.obeyed", command=command.name, command_id=command.id, outcome=answer)
        self._orders.take(desired)

    async def _do(self, command: NodeCommand) -> str:
        floor_s = self._updates.state.orders.forgotten_until_s
        if command.expires_at_s <= floor_s:
            return "it is as old as commands that this node has forgotten"
        if command.name == "collect":
            settings = self._updates.state.settings.effective.collection
            return await self._collect(Collect(settings=settings, requested=command.count))
        # The report that carries this answer is the one that was asked for.
        return DONE

    async def _collect(self, order: Collect) -> str:
        try:
            reply = await self._control.call(order, timeout_s=_TIMEOUT_S)
        except ServingUnreachable as error:
            return error.message
        return reply.message if isinstance(reply, Refused) else DONE


def _remembering(command: NodeCommand, answer: str) -> Callable[[NodeState], NodeState]:
    def change(state: NodeState) -> NodeState:
        return msgspec.structs.replace(state, orders=state.orders.after(command, answer, is_believed=False))

    return change
