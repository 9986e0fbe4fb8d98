"""`ganglion event`, `ganglion result`: what nodes reported."""

from typing import Annotated

import typer

from ganglion.entrypoints.cli.context import Session, hub_command

event_app = typer.Typer(no_args_is_help=True)
result_app = typer.Typer(no_args_is_help=True)

_EVENT_COLUMNS = ("node", "at_s", "name", "model", "version", "rollout_id", "reason", "facts")
_RESULT_COLUMNS = ("node", "epoch", "seq", "at_s", "model", "version", "latency_us", "labels", "confidences", "error")
"""What a table has room for; `-o json` has the rest."""

Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many.")]


@event_app.callback()
def event() -> None:
    """Read what happened on the nodes."""


@result_app.callback()
def result() -> None:
    """Read the answers that nodes gave."""


@hub_command(event_app, "list")
def list_events(
    session: Session,
    node: Annotated[str | None, typer.Option("--node", help="Only events of this node.")] = None,
    rollout: Annotated[str | None, typer.Option("--rollout", help="Only events of this rollout.")] = None,
    limit: Limit = 100,
) -> None:
    """List events, newest first.

    Example: ganglion event list --node gate-1
    """
    found = session.client.events(node=node, rollout=rollout, limit=limit)
    session.show(found, columns=_EVENT_COLUMNS, empty="No events yet.")


@hub_command(result_app, "list")
def list_results(
    session: Session,
    node: Annotated[str, typer.Option("--node", help="Whose answers.")],
    after: Annotated[
        str, typer.Option("--after", metavar="EPOCH:SEQ", help="Begin after this record; otherwise with the oldest.")
    ] = "",
    limit: Limit = 100,
) -> None:
    """List a node's answers as it gave them, oldest first.

    Example: ganglion result list --node gate-1 --after EPOCH:500 -o jsonl
    """
    results = session.client.results(node, after=_position(after), limit=limit)
    session.show(results, columns=_RESULT_COLUMNS, empty=f"No answers of {node} after this record.")


def _position(text: str) -> tuple[str, int]:
    from ganglion.core.errors import InvalidRequest

    if not text:
        return "", 0
    epoch, _, seq = text.rpartition(":")
    if not (epoch and seq.isascii() and seq.isdigit()):
        raise InvalidRequest(f"--after {text!r} should read EPOCH:SEQ")
    return epoch, int(seq)
