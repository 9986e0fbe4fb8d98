"""`ganglion node shell`: an interactive session on a node, where its envelope and its own settings allow one."""

import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.core.errors import CheckFailed, InvalidRequest, NotFound, Unavailable
from ganglion.entrypoints.cli.context import Session, hub_command
from ganglion.entrypoints.cli.output import note

if TYPE_CHECKING:
    from ganglion.adapters.shell_recordings import RecordingFiles
    from ganglion.core.asciicast import CastEvent
    from ganglion.entrypoints.settings.node import NodeSettings
    from ganglion.entrypoints.terminal.persons_shell import Ends, PersonsShell
    from ganglion.wire.shell_resources import ShellView

_CLOSE = "close"
_LOOK_S = 1.0
_CLOSED_WITHIN_S = 10.0
_PAUSE_S_MAX = 1.0
_DONE, _ASKED, _OFFERED = "done", "asked", "offered"
_PEACEFUL = ("", "exited", "left")
_COLUMNS = ("id", "person", "state", "asked_at_s", "closed_by", "reason", "recording_bytes")


def register(app: typer.Typer) -> None:
    """Add the command to `ganglion node`."""
    hub_command(app, "shell")(shell)


def shell(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NODE|close", help="Name of the node.")] = None,
    *,
    minutes: Annotated[float, typer.Option("--minutes", help="How long it lasts at the most.")] = 10.0,
    reason: Annotated[str, typer.Option("--reason", help="Why it is needed. Kept with the recording.")] = "",
    wait: Annotated[float, typer.Option("--wait", min=0.0, help="Seconds to wait for a node that is away.")] = 60.0,
    recordings: Annotated[bool, typer.Option("--recordings", help="List the sessions there were.")] = False,
    replay: Annotated[str | None, typer.Option("--replay", metavar="ID", help="Show what a session showed.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="ID", help="End a session that is open.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory of the node of this machine.", show_default="node-data"),
    ] = None,
) -> None:
    """Open a shell on a node, recorded and for some minutes.

    It is off unless the envelope and the settings of the node both allow it.

    Everything typed and shown is recorded, on the node and at the hub. `~.` at the beginning of a line leaves. Without
    a terminal, what is piped in is typed.

    On the machine itself, `ganglion node shell close --data DIR` ends the session that is open there, and --recordings
    and --replay with --data show the machine's own recordings.

    Example: ganglion node shell gate-1 --minutes 10 --reason "camera is stuck"
    """
    if name == _CLOSE:
        _close_here(_here(session, data))
    elif recordings:
        _list(session, name, data)
    elif replay is not None:
        _replay(session.client.shell_recording(name, replay) if name else _kept_here(_here(session, data), replay))
    elif name is None:
        raise InvalidRequest("give the name of a node, or one of close, --recordings and --replay with --data")
    elif end is not None:
        session.client.close_shell(name, end)
    else:
        _hold(session, name, minutes=minutes, reason=reason, wait_s=wait)


def _hold(session: Session, name: str, *, minutes: float, reason: str, wait_s: float) -> None:
    from ganglion.entrypoints.terminal.persons_shell import Ends, PersonsShell
    from ganglion.entrypoints.terminal.raw_terminal import size_of
    from ganglion.wire.shell_resources import ShellRequest

    keys, out = sys.stdin.fileno(), sys.stdout.fileno()
    ends = Ends(keys=keys, out=out, is_terminal=sys.stdin.isatty() and sys.stdout.isatty())
    columns, rows = size_of(out)
    seconds = _seconds(minutes)
    asked = session.client.ask_shell(name, ShellRequest(seconds, reason, columns=columns, rows=rows))
    note(f"asked {name} for a shell of {minutes:g} minutes; session {asked.id} is recorded" + _how_to_leave(ends))
    with ExitStack() as stack:
        viewer = session.another()
        stack.callback(viewer.close)
        _await_node(session, asked, wait_s=wait_s)
        held = PersonsShell(name, asked.id, ends, typist=session.client, viewer=viewer, state=_OFFERED)
        _run(held, ends)
    _tell(name, held)


def _run(held: "PersonsShell", ends: "Ends") -> None:
    from ganglion.entrypoints.terminal.raw_terminal import on_resize, raw_terminal

    with ExitStack() as stack:
        if ends.is_terminal:
            stack.enter_context(on_resize(held.resized, wakes=held.wakes))
            stack.enter_context(raw_terminal(ends.keys, ends.out))
        held.run()


def _tell(name: str, held: "PersonsShell") -> None:
    from ganglion.wire.shells import WHY_CLOSED

    if held.error is not None:
        raise held.error
    why = WHY_CLOSED.get(held.closed_by, "you left")
    if held.closed_by not in _PEACEFUL:
        raise CheckFailed(f"{name}: the session was ended: {why}")
    note(f"{name}: {why}")


def _await_node(session: Session, asked: "ShellView", *, wait_s: float) -> None:
    """Wait until the node has come for the session. Raises: CheckFailed: it refused. Unavailable: it is away."""
    from ganglion.adapters.system import SystemClock

    clock, client = SystemClock(), session.client
    ends_at_s, why = clock.monotonic_s() + wait_s, ""
    try:
        while not why and clock.monotonic_s() < ends_at_s:
            shown = client.shell_shown(asked.node, asked.id, after=0, known=_ASKED, wait_s=_LOOK_S)
            if shown.state != _ASKED:
                return
            answer = client.command_outcome(asked.node, asked.id).answer
            why = "" if answer == _DONE else answer
    except BaseException:
        client.close_shell(asked.node, asked.id)
        raise
    client.close_shell(asked.node, asked.id)
    if why:
        raise CheckFailed(f"{asked.node}: {why}")
    raise Unavailable(f"{asked.node} has not come for the session within {wait_s:g} s: is it away?")


def _seconds(minutes: float) -> int:
    from ganglion.trust.shell import SECONDS_MAX

    if not 0.0 < minutes * 60.0 <= SECONDS_MAX:
        raise InvalidRequest(f"--minutes lies above 0 and is at most {SECONDS_MAX // 60}")
    return max(1, int(minutes * 60.0))


def _how_to_leave(ends: "Ends") -> str:
    from ganglion.entrypoints.terminal.shell_keys import ESCAPE

    return f"; {ESCAPE} at the beginning of a line leaves" if ends.is_terminal else ""


# --- recordings ---------------------------------------------------------------------------------------


def _list(session: Session, name: str | None, data: Path | None) -> None:
    empty = "There were no sessions."
    if name is not None:
        views = session.client.shells(name)
        session.show(views, columns=_COLUMNS, empty=empty)
        return
    kept = _recordings(_here(session, data)).kept()
    session.show(list(reversed(kept)), columns=("id", "person", "begun_at_s", "closed_by", "reason"), empty=empty)


def _kept_here(settings: "NodeSettings", shell_id: str) -> bytes:
    return _recordings(settings).content(shell_id)


def _replay(recording: bytes) -> None:
    """Show what was shown; on a terminal with its pauses, long ones shortened, and without what a terminal acts on."""
    from ganglion.core import asciicast
    from ganglion.core.replayed_text import ReplayedText

    _, events = asciicast.read(recording)
    text, is_terminal, pause, before_s = ReplayedText(), sys.stdout.isatty(), threading.Event(), 0.0
    for event in _shown(events):
        if is_terminal:
            pause.wait(min(max(event.at_s - before_s, 0.0), _PAUSE_S_MAX))
        before_s = event.at_s
        sys.stdout.write(text.shown(event.text) if is_terminal else event.text)
        sys.stdout.flush()


def _shown(events: "list[CastEvent]") -> "list[CastEvent]":
    from ganglion.core.asciicast import CastKind

    return [event for event in events if event.kind == CastKind.SHOWN]


# --- this machine -------------------------------------------------------------------------------------


def _close_here(settings: "NodeSettings") -> None:
    """End the session that is open on this machine. Raises: NotFound: none is. Unavailable: it has not ended."""
    from ganglion.adapters.files import replace_file
    from ganglion.adapters.shell_notice import NoticeFiles, notice_in
    from ganglion.adapters.system import SystemClock
    from ganglion.node.services.places import Places

    runs = Places(settings.data_path).runs
    notice = notice_in(runs)
    if notice is None:
        raise NotFound("no shell is open on this machine")
    NoticeFiles(runs, replace=replace_file).want_closing()
    clock, pause = SystemClock(), threading.Event()
    ends_at_s = clock.monotonic_s() + _CLOSED_WITHIN_S
    while notice_in(runs) is not None:
        if clock.monotonic_s() >= ends_at_s:
            raise Unavailable(f"the shell of {notice.person} has not ended within {_CLOSED_WITHIN_S:g} s")
        pause.wait(_LOOK_S / 10)
    note(f"ended the shell of {notice.person} ({notice.role}): {notice.reason}")


def _here(session: Session, data: Path | None) -> "NodeSettings":
    from ganglion.entrypoints.cli.node_diagnosis import node_here

    return node_here(session, data)


def _recordings(settings: "NodeSettings") -> "RecordingFiles":
    from ganglion.adapters.files import replace_file
    from ganglion.adapters.shell_recordings import RecordingFiles
    from ganglion.node.services.places import Places

    chosen = settings.shell
    return RecordingFiles(
        Places(settings.data_path).shells,
        bytes_max=chosen.recording_bytes_max,
        kept_max=chosen.recordings_max,
        replace=replace_file,
    )
