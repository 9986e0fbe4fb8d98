"""Wiring of interactive sessions on a node."""

import os
import sys
from collections.abc import Sequence
from functools import partial

from ganglion.adapters.files import replace_file
from ganglion.adapters.pty_shell import PtyLimits, PtyShells
from ganglion.adapters.shell_notice import NoticeFiles
from ganglion.adapters.shell_recordings import RecordingFiles
from ganglion.entrypoints.node import shell_child
from ganglion.entrypoints.settings.tree import NodeSettings
from ganglion.node.services.orders.held_shell import ShellPorts
from ganglion.node.services.orders.shells import Shells
from ganglion.node.services.places import Places
from ganglion.node.services.update.updates import Updates
from ganglion.ports.clock import Clock
from ganglion.ports.shell import ShellLine
from ganglion.trust import shell
from ganglion.trust.envelope import NamedAction
from ganglion.wire.records import EventRecord

_PRIVATE = partial(replace_file, mode=0o600)


def shells_of(updates: Updates, settings: NodeSettings, *, line: ShellLine, places: Places, clock: Clock) -> Shells:
    """Return what opens sessions on this node, if its settings and its envelope let it."""
    chosen = settings.shell

    def action() -> NamedAction | None:
        return updates.limits(updates.state).action(shell.NAME)

    async def tell(events: Sequence[EventRecord]) -> None:
        await updates.remember(lambda state: state, events)

    ports = ShellPorts(
        starter=PtyShells(
            child=(sys.executable, "-I", "-S", shell_child.__file__),
            folder=places.shell_home,
            clock=clock,
            limits=PtyLimits(
                memory_bytes=chosen.memory_bytes_max, files=chosen.files_max, processes=chosen.processes_max
            ),
        ),
        recordings=RecordingFiles(
            places.shells, bytes_max=chosen.recording_bytes_max, kept_max=chosen.recordings_max, replace=_PRIVATE
        ),
        board=NoticeFiles(places.runs, replace=_PRIVATE),
        line=line,
        pid=os.getpid(),
    )
    return Shells(limits=chosen, ports=ports, clock=clock, action=action, tell=tell)
