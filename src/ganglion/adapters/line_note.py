"""A note beside the node's data: when its agent last heard of the hub, and what stands in the way now.

It is for people at the machine, who ask while the agent runs and after it has ended. Losing it loses nothing, so it is
replaced without waiting for the disk, and seldom: a memory card outlives it.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from ganglion.ports.clock import Clock, utc_s

_NAME, _UNFINISHED = "hub.json", "hub.json.new"
_EVERY_S = 30.0
_BIRTH_FIELD = 19
"""Among the fields behind the program's name in /proc/PID/stat. Source: proc(5), starttime."""
_TROUBLE_LENGTH_MAX = 500


class LineNote(msgspec.Struct, frozen=True):
    """How the line to the hub was when the note was written."""

    pid: int
    """The agent's process."""
    heard_at_s: float | None = None
    """When the hub last answered, in seconds since 1970, to half a minute; None: never."""
    trouble: str = ""
    """Why it does not answer; empty: it does, or was not asked yet."""
    birth: str = ""
    """When the process began, as the kernel counts: its number alone may be another's after a restart."""


class LineNotes:
    """Writes the note of one agent. Called from any thread; a disk that takes nothing is passed over."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """`folder` is the directory of what runs. An earlier agent's time is kept."""
        self._folder, self._clock = folder, clock
        before = line_note(folder)
        self._note = LineNote(os.getpid(), before.heard_at_s if before else None, birth=_birth(os.getpid()))
        self._written_s: float | None = None
        self._write(self._note)

    def tell(self, trouble: str) -> None:
        """Note that the hub answered just now, or why it did not."""
        heard_at_s = self._note.heard_at_s if trouble else utc_s(self._clock)
        note = msgspec.structs.replace(self._note, heard_at_s=heard_at_s, trouble=trouble[:_TROUBLE_LENGTH_MAX])
        is_first = self._note.heard_at_s is None and not trouble
        has_changed = is_first or bool(trouble) != bool(self._note.trouble)
        now_s = self._clock.monotonic_s()
        if has_changed or self._written_s is None or now_s - self._written_s >= _EVERY_S:
            self._written_s = now_s
            self._write(note)
        self._note = note

    def _write(self, note: LineNote) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = self._folder / _UNFINISHED
            unfinished.write_bytes(msgspec.json.encode(note))
            unfinished.replace(self._folder / _NAME)


def line_note(folder: Path) -> LineNote | None:
    """Return the newest note; None: no agent has written one, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=LineNote)
    except (OSError, msgspec.DecodeError):
        return None


def is_running(note: LineNote | None) -> bool:
    """Say whether the agent that wrote the note still runs."""
    if note is None or note.pid <= 0:
        return False
    try:
        os.kill(note.pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    return note.birth == _birth(note.pid)


def _birth(pid: int) -> str:
    """Return when a process began, in the kernel's ticks since its own start; empty where it does not say."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        return after_name.split()[_BIRTH_FIELD]
    except (OSError, IndexError):
        return ""
