"""`ganglion node label`, `retire`, `revoke`, `admit`, `rekey` for one node or for many: told first, then confirmed."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import OutputFormat, note

if TYPE_CHECKING:
    from ganglion.wire.fleet_resources import NodeActionReply, NodeActionRequest

Name = Annotated[str | None, typer.Argument(help="Name of the node.")]
Select = Annotated[
    str | None, typer.Option("--select", "-l", help="Nodes that a selector means: line=3,site=porto; '' for all.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it is done to many nodes.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit chain.")]
_SHOWN_MAX = 5
_DONE = {
    "label": "labelled",
    "retire": "retired",
    "revoke": "revoked",
    "admit": "admitted",
    "rekey": "asked for a new key",
    "ask": "asked",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion node`."""
    for function in (label, retire, revoke, admit):
        hub_command(app, function.__name__)(function)


def label(
    session: Session,
    words: Annotated[
        list[str], typer.Argument(metavar="[NODE…] KEY=VALUE|KEY-…", help="Names of nodes, and labels to set or take.")
    ],
    select: Select = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
) -> None:
    """Set or remove labels of a node, or of many.

    `KEY-` takes a label away. With --select it is done to every node that is selected.

    Example: ganglion node label gate-1 line=3 canary-
    """
    from ganglion.wire.fleet_resources import NodeActionRequest

    changes = [word for word in words if "=" in word or word.endswith("-")]
    pairs = [word.removesuffix("-").partition("=") if "=" not in word else word.partition("=") for word in changes]
    labels = {key: value if equals else None for key, equals, value in pairs}
    if not labels:
        raise InvalidRequest("say what to change: KEY=VALUE, or KEY- to take a label away")
    names = [word for word in words if word not in changes]
    act(
        session,
        NodeActionRequest(action="label", select=select, nodes=names, labels=labels, reason=reason, dry_run=dry_run),
        yes=yes,
    )


def retire(
    session: Session,
    name: Name = None,
    select: Select = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
) -> None:
    """Take a node, or many, out of service. They are refused from now on, and go on serving with what they have.

    Example: ganglion node retire gate-1
    """
    decide(session, "retire", name, select=select, dry_run=dry_run, yes=yes, reason=reason)


def revoke(
    session: Session,
    name: Name = None,
    select: Select = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
) -> None:
    """Refuse everything that a node, or many, say from now on. They go on serving with what they have.

    Example: ganglion node revoke gate-1
    """
    decide(session, "revoke", name, select=select, dry_run=dry_run, yes=yes, reason=reason)


def admit(
    session: Session,
    name: Name = None,
    select: Select = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
) -> None:
    """Let a node in quarantine, or many, in again. They come back by themselves.

    Example: ganglion node admit gate-1
    """
    decide(session, "admit", name, select=select, dry_run=dry_run, yes=yes, reason=reason)


def decide(
    session: Session, action: str, name: str | None, *, select: str | None, dry_run: bool, yes: bool, reason: str
) -> None:
    """Carry out an action on one named node, or on those that a selector means."""
    from ganglion.wire.fleet_resources import NodeActionRequest

    if (name is None) == (select is None):
        raise InvalidRequest("give the name of a node, or --select SELECTOR")
    names = [name] if name else []
    request = NodeActionRequest(action=action, select=select, nodes=names, reason=reason, dry_run=dry_run)
    act(session, request, yes=yes)


def act(session: Session, request: "NodeActionRequest", *, yes: bool) -> None:
    """Carry out a request. Before many nodes change, a person says yes.

    Raises: InvalidRequest: nobody is there to ask. Conflict: the one node cannot do it.
    """
    from dataclasses import replace

    is_many = request.select is not None
    if is_many and not request.dry_run and not yes:
        would = session.client.act_on_nodes(replace(request, dry_run=True))
        if would.changed:
            _ask_person(request.action, [line.node for line in would.nodes if line.outcome == "changed"])
        request = replace(request, expected=would.changed)
    reply = session.client.act_on_nodes(request)
    if reply.refused and not is_many and len(reply.nodes) == 1:
        raise Conflict(reply.nodes[0].detail)
    session.show(reply, lines=reply.nodes, empty="No node is meant.")
    if session.output is OutputFormat.TABLE:
        note(_summary(reply))


def _ask_person(action: str, names: Sequence[str]) -> None:
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    how_many = "1 node" if len(names) == 1 else f"{len(names)} nodes"
    question = f"{action} {how_many}: {', '.join(names[:_SHOWN_MAX])}{more}?"
    if not sys.stdin.isatty():
        raise InvalidRequest(f"{question} Say --yes, or look first with --dry-run")
    typer.confirm(question, abort=True, err=True)


def _summary(reply: "NodeActionReply") -> str:
    would = "would be " if reply.dry_run else ""
    parts = [f"{reply.changed} {would}{_DONE[reply.action]}"]
    parts += [f"{reply.unchanged} as they were"] * bool(reply.unchanged)
    parts += [f"{reply.refused} refused"] * bool(reply.refused)
    return ", ".join(parts)
