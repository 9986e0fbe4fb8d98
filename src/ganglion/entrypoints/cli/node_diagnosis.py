"""`ganglion node status|health|doctor|logs|support-bundle`: look into a node, over its hub or on the machine itself."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import CheckFailed, InvalidRequest, Unavailable
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note, say

if TYPE_CHECKING:
    from ganglion.adapters.system import SystemClock
    from ganglion.entrypoints.settings.node import NodeSettings
    from ganglion.wire.diagnosis import HealthReport, SupportDocument

# What people ask first stands first.
_NODE_FIELDS = (
    "name", "state", "health", "unwell", "last_seen_at_s", "models", "site", "zone", "labels", "facts", "settings",
    "refused", "waiting", "made", "stored", "shed", "sent_bytes", "machine", "clock_error_s", "quarantine_reason",
    "rekey_asked", "key_since_at_s", "enrolled_at_s", "measured", "node_class", "node_id", "epoch",
)  # fmt: skip
_FOLLOW_S = 1.0
_DONE = "done"

Node = Annotated[str | None, typer.Argument(help="Name of the node; without it, the node of this machine.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Data directory of the node of this machine.", show_default="node-data")
]
Wait = Annotated[float, typer.Option("--wait", min=0.0, help="Seconds to wait for a node that is away.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `ganglion node`."""
    hub_command(app, "status")(status)
    hub_command(app, "health")(health)
    hub_command(app, "doctor")(doctor)
    hub_command(app, "logs")(logs)
    hub_command(app, "support-bundle")(support_bundle)


def status(session: Session, name: Node = None, data: Data = None) -> None:
    """Show how the node of this machine stands.

    Which versions answer, whether it is joined, when it last heard of the hub, and what waits to be sent. It asks
    nobody: it works without a network, and while the node does not run. With a name, it is `ganglion node show`.

    Example: ganglion node status --data ./node
    """
    from ganglion.entrypoints.diagnosis.standing import standing

    if name:
        show_node(session, name)
        return
    session.show(standing(node_here(session, data), clock=_clock()))


def show_node(session: Session, name: str) -> None:
    """Print what the hub knows of a node."""
    session.show(session.client.node(name), columns=_NODE_FIELDS)


def health(session: Session, name: Node = None, data: Data = None, wait: Wait = 60.0) -> None:
    """Say how a node is, and what to do about it.

    Disk, memory, heat, outbox, link, trust, processes and models. Exit code 1 when something is bad.

    Example: ganglion node health gate-1
    """
    from ganglion.entrypoints.diagnosis.findings import health_report

    _show(
        session,
        _asked(session, "health", name, wait) if name else health_report(node_here(session, data), clock=_clock()),
    )


def doctor(session: Session, name: Node = None, data: Data = None, wait: Wait = 120.0) -> None:
    """Try what a node depends on, step by step.

    Says what is wrong, why it matters and what to do. On the machine itself it works without a hub.
    Exit code 1 when something is bad.

    Example: ganglion node doctor --data ./node
    """
    from ganglion.entrypoints.diagnosis.doctor import doctor_report

    _show(
        session,
        _asked(session, "doctor", name, wait) if name else doctor_report(node_here(session, data), clock=_clock()),
    )


def logs(
    session: Session,
    name: Node = None,
    *,
    data: Data = None,
    since: Annotated[str, typer.Option(help="Begin here: 15m, 2h, 3d ago, or 2026-11-22T02:00Z.")] = "",
    until: Annotated[str, typer.Option(help="End here.")] = "",
    level: Annotated[str, typer.Option(help="This level and above: debug, info, warning, error.")] = "debug",
    grep: Annotated[str, typer.Option(help="Only lines that contain this text.")] = "",
    lines: Annotated[int, typer.Option("-n", "--lines", help="At most so many, the newest.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes; on the machine itself.")] = False,
    wait: Wait = 60.0,
) -> None:
    """Print what a node's processes logged, as JSON lines.

    Example: ganglion node logs gate-1 --since 2h --level warning
    """
    from ganglion.entrypoints.diagnosis import questions
    from ganglion.ports.clock import utc_s

    query = questions.log_query(since=since, until=until, level=level, text=grep, lines=lines, now_s=utc_s(_clock()))
    if name and follow:
        raise InvalidRequest("--follow reads this machine's own files; over a hub, ask again with --since")
    if name:
        say(_answer(session, "logs", name, wait, arguments=questions.as_arguments(query)))
        return
    from ganglion.adapters.kept_logs import LogReader
    from ganglion.node.services.places import Places

    reader = LogReader(Places(node_here(session, data).data_path).logs)
    printed = reader.read(query)
    _print(printed)
    while follow:
        threading.Event().wait(_FOLLOW_S)
        _print(fresh := _after(reader.read(query), printed))
        printed = [*printed, *fresh][-query.lines_max :]


def support_bundle(
    session: Session,
    name: Node = None,
    *,
    data: Data = None,
    to: Annotated[Path | None, typer.Option("--to", help="File to write.", show_default="NAME-support.tar.gz")] = None,
    wait: Wait = 120.0,
) -> None:
    """Pack what somebody needs to understand a node.

    Doctor, settings, state, logs and signed metadata. No secrets.

    Example: ganglion node support-bundle gate-1 --to gate-1.tar.gz
    """
    from ganglion.entrypoints.diagnosis import support

    if name:
        document = support.parsed(_answer(session, "support-bundle", name, wait))
    else:
        document = support.support_document(node_here(session, data), clock=_clock())
    file = to or Path(f"{document.node}-support.tar.gz")
    _write(file, document)
    note(f"wrote {file}, {file.stat().st_size} bytes, {len(document.files)} files")


def _show(session: Session, report: "HealthReport") -> None:
    from ganglion.wire.diagnosis import Verdict

    session.show(report, lines=list(report.checks), columns=("name", "verdict", "fact", "remedy"))
    bad = [check.name for check in report.checks if check.verdict is Verdict.BAD]
    if bad:
        raise CheckFailed(f"{report.node}: {', '.join(bad)}: bad")


def _asked(session: Session, question: str, name: str, wait_s: float) -> "HealthReport":
    from ganglion.wire import codec
    from ganglion.wire.diagnosis import HealthReport

    return codec.decode_json(_answer(session, question, name, wait_s).encode(), HealthReport)


def _answer(session: Session, question: str, name: str, wait_s: float, *, arguments: Sequence[str] = ()) -> str:
    """Ask a node through its hub. Raises: Unavailable: it did not answer in time. CheckFailed: it could not."""
    from ganglion.entrypoints.cli.node_exec import awaited
    from ganglion.wire.node_resources import CommandRequest

    request = CommandRequest(question, expires_in_s=max(wait_s, 60.0), arguments=list(arguments))
    outcome = awaited(session, name, session.client.command(name, request).id, wait_s=wait_s)
    if not outcome.answer or (outcome.answer == _DONE and outcome.output is None):
        raise Unavailable(
            f"{name} has not answered within {wait_s:.0f} s; see `ganglion node show {name}`: is it away?"
        )
    if outcome.answer != _DONE:
        raise CheckFailed(f"{name}: {question}: {outcome.answer}")
    return outcome.output or ""


def node_here(session: Session, data: Path | None) -> "NodeSettings":
    """Return the settings of the node of this machine."""
    from ganglion.entrypoints.settings.tree import load_settings

    return load_settings(session.config, {"node.data_dir": str(data) if data else None}).node


def _clock() -> "SystemClock":
    from ganglion.adapters.system import SystemClock

    return SystemClock()


def _after(lines: list[str], printed: list[str]) -> list[str]:
    """Return what follows the last line that was printed; all of it when that line is gone by now."""
    if not printed or printed[-1] not in lines:
        return lines
    return lines[len(lines) - lines[::-1].index(printed[-1]) :]


def _print(lines: Sequence[str]) -> None:
    say("".join(f"{line}\n" for line in lines))


def _write(file: Path, document: "SupportDocument") -> None:
    from ganglion.adapters.files import replace_file
    from ganglion.entrypoints.diagnosis import support

    replace_file(file.absolute(), support.packed(document), mode=0o600)
