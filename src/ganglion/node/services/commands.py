"""What the hub asks a node to do once. Each command is done when it is first heard of, and its outcome reported."""

from collections import OrderedDict
from typing import Final

import structlog

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.ports.serving_control import Collect, Refused, ServingControl
from ganglion.wire.desired import DesiredState, NodeCommand

log = structlog.get_logger()

DONE: Final = "done"
_TIMEOUT_S = 10.0
_ANSWERS_MAX = 32


class Commands:
    """Obeys. What it knows ends with the process: the hub keeps what was reported."""

    def __init__(self, control: ServingControl) -> None:
        self._control = control
        self._answers: OrderedDict[str, str] = OrderedDict()

    @property
    def answers(self) -> dict[str, str]:
        """What came of the newest commands, by id: done, or why not."""
        return dict(self._answers)

    async def obey(self, desired: DesiredState) -> None:
        """Do what was not done yet."""
        for command in desired.commands:
            if command.id in self._answers:
                continue
            answer = await self._do(command, desired)
            self._answers[command.id] = answer
            while len(self._answers) > _ANSWERS_MAX:
                self._answers.popitem(last=False)
            log.info("command.obeyed", command=command.name, command_id=command.id, outcome=answer)

    async def _do(self, command: NodeCommand, desired: DesiredState) -> str:
        match command.name:
            case "report":
                # The report that carries this answer is the one that was asked for.
                return DONE
            case "collect":
                return await self._collect(Collect(settings=desired.collection, requested=command.count))
            case _:
                return f"this node does not know the command {command.name[:40]!r}"

    async def _collect(self, order: Collect) -> str:
        try:
            reply = await self._control.call(order, timeout_s=_TIMEOUT_S)
        except ServingUnreachable as error:
            return error.message
        return reply.message if isinstance(reply, Refused) else DONE
