"""`ganglion node exec`: run a named action on a node, and show what it wrote."""

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import CheckFailed, Unavailable
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note, say

if TYPE_CHECKING:
    from ganglion.wire.node_resources import CommandOutcome

_LOOK_S = 0.5
_DONE = "done"
_OUTPUT_S = 15.0
"""How much longer the output may take than the answer: it comes with the node's next batch."""
_NO_OUTPUT = ("report", "collect", "sync", "restart-serving")


def register(app: typer.Typer) -> None:
    """Add the command to `ganglion node`."""
    hub_command(app, "exec")(execute)


def execute(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the node.")],
    action: Annotated[str, typer.Argument(help="sync, restart-serving, or an action that the envelope names.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What it takes.")] = None,
    wait: Annotated[float, typer.Option("--wait", min=0.0, help="Seconds to wait for what comes of it.")] = 60.0,
    expires: Annotated[float, typer.Option("--expires", help="Seconds until it is not wanted any more.")] = 600.0,
) -> None:
    """Run a named action on a node, and show what it wrote.

    The node runs what its envelope names, for roles that it names, once, without a shell, and writes down who asked.

    Example: ganglion node exec gate-1 restart-serving
    """
    from ganglion.wire.node_resources import CommandRequest

    request = CommandRequest(action, expires_in_s=expires, arguments=list(arguments or ()))
    asked = session.client.command(name, request)
    outcome = awaited(session, name, asked.id, wait_s=wait)
    if session.output is not OutputFormat.TABLE:
        session.show(outcome)
    elif outcome.output is not None:
        say(outcome.output if outcome.output.endswith("\n") else f"{outcome.output}\n")
    if not outcome.answer and wait > 0.0:
        raise Unavailable(
            f"{name} has not answered within {wait:g} s; `ganglion node asked {name}` tells what comes of it"
        )
    if not outcome.answer:
        note(f"no answer yet; `ganglion node asked {name}` tells what came of it")
    elif outcome.answer == _DONE:
        note(f"{name}: {action} done")
    else:
        raise CheckFailed(f"{name}: {action}: {outcome.answer}")


def awaited(session: Session, name: str, command_id: str, *, wait_s: float) -> "CommandOutcome":
    """Ask until the node has answered, and its output is here, or the time is over."""
    from ganglion.adapters.system import SystemClock

    clock, pause = SystemClock(), threading.Event()
    ends_at_s = clock.monotonic_s() + wait_s
    while True:
        outcome = session.client.command_outcome(name, command_id)
        now_s = clock.monotonic_s()
        if outcome.answer:
            ends_at_s = min(ends_at_s, now_s if _is_whole(outcome) else now_s + _OUTPUT_S)
        if now_s >= ends_at_s:
            return outcome
        pause.wait(_LOOK_S)


def _is_whole(outcome: "CommandOutcome") -> bool:
    ran = outcome.answer == _DONE or outcome.answer.startswith(("failed with", "ended at"))
    return outcome.output is not None or outcome.name in _NO_OUTPUT or not ran
