"""A shell, a hub's line and a place for recordings in memory: what an interactive session needs, made to misbehave."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ganglion.core.asciicast import CastHeader, CastKind, CastWriter
from ganglion.core.errors import GanglionError, NotFound
from ganglion.ports.shell import Closing, ShellCall, ShellNotice
from ganglion.wire.shells import ShellInput, ShellOutput, ShellRecording, ShellTyped

_LOOK_S = 0.005


@dataclass
class MemoryProcess:
    """Shows what it is given, and remembers what was typed."""

    shows: list[bytes] = field(default_factory=list)
    typed: bytes = b""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    has_exited: bool = False
    ends: int = 0

    def read(self, *, bytes_max: int, wait_s: float) -> bytes | None:
        """See `ports.shell.ShellProcess`; it waits for a moment only."""
        if self.shows:
            return self.shows.pop(0)[:bytes_max]
        if self.has_exited or self.ends:
            return None
        threading.Event().wait(min(wait_s, _LOOK_S))
        return b""

    def write(self, data: bytes, *, wait_s: float) -> int:  # noqa: ARG002 - as the port has it
        """See `ports.shell.ShellProcess`."""
        self.typed += data
        return len(data)

    def resize(self, columns: int, rows: int) -> None:
        """See `ports.shell.ShellProcess`."""
        self.sizes.append((columns, rows))

    def end(self) -> None:
        """See `ports.shell.ShellProcess`."""
        self.ends += 1


@dataclass
class MemoryStarter:
    """Starts one process."""

    process: MemoryProcess = field(default_factory=MemoryProcess)
    calls: list[ShellCall] = field(default_factory=list)
    error: GanglionError | None = None
    why: str = ""

    def why_not(self) -> str:
        """See `ports.shell.ShellStarter`."""
        return self.why

    def start(self, call: ShellCall) -> MemoryProcess:
        """See `ports.shell.ShellStarter`."""
        self.calls.append(call)
        if self.error is not None:
            raise self.error
        return self.process


class MemoryRecording:
    """One recording."""

    def __init__(self, header: CastHeader, bytes_max: int) -> None:
        self._writer, self._bytes_max = CastWriter(header), bytes_max
        self.data = self._writer.first
        self.error: GanglionError | None = None

    def add(self, kind: CastKind, data: bytes, *, at_s: float) -> bool:
        """See `ports.shell.Recording`."""
        if self.error is not None:
            raise self.error
        line = self._writer.line(kind, data, at_s=at_s)
        if len(self.data) + len(line) > self._bytes_max:
            return False
        self.data += line
        return True

    def close(self, *, at_s: float) -> str:
        """See `ports.shell.Recording`."""
        self.data += self._writer.last(at_s=at_s)
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class MemoryRecordings:
    """All recordings of a machine."""

    bytes_max: int = 100_000
    error: GanglionError | None = None
    made: dict[str, MemoryRecording] = field(default_factory=dict)
    closings: dict[str, Closing] = field(default_factory=dict)

    def begin(self, closing: Closing, header: CastHeader) -> MemoryRecording:
        """See `ports.shell.Recordings`."""
        if self.error is not None:
            raise self.error
        self.closings[closing.id] = closing
        self.made[closing.id] = MemoryRecording(header, self.bytes_max)
        return self.made[closing.id]

    def note(self, closing: Closing) -> None:
        """See `ports.shell.Recordings`."""
        self.closings[closing.id] = closing

    def kept(self) -> Sequence[Closing]:
        """See `ports.shell.Recordings`."""
        return list(self.closings.values())

    def content(self, shell_id: str) -> bytes:
        """See `ports.shell.Recordings`."""
        if shell_id not in self.made:
            raise NotFound(f"no recording of {shell_id}")
        return self.made[shell_id].data


@dataclass
class MemoryBoard:
    """What the machine tells of a session."""

    notice: ShellNotice | None = None
    is_wanted: bool = False

    def show(self, notice: ShellNotice) -> None:
        """See `ports.shell.NoticeBoard`."""
        self.notice = notice

    def clear(self) -> None:
        """See `ports.shell.NoticeBoard`."""
        self.notice, self.is_wanted = None, False

    def is_closing_wanted(self) -> bool:
        """See `ports.shell.NoticeBoard`."""
        return self.is_wanted


@dataclass
class MemoryLine:
    """A hub at the other end of the line. `answer` says what it does with a question before it answers."""

    typed: list[ShellTyped] = field(default_factory=list)
    has_left: bool = False
    shown: bytes = b""
    room: int = 1 << 30
    """How far it takes output."""
    ended: list[ShellOutput] = field(default_factory=list)
    recordings: dict[str, ShellRecording] = field(default_factory=dict)
    answer: Callable[[], None] = lambda: None
    polls: int = 0

    def shell_output(self, shell_id: str, output: ShellOutput) -> int:  # noqa: ARG002 - as the port has it
        """See `ports.shell.ShellLine`."""
        self.answer()
        fresh = output.data[len(self.shown) - output.offset :] if output.offset <= len(self.shown) else b""
        self.shown += fresh[: max(0, self.room - len(self.shown))]
        if output.closed_by:
            self.ended.append(output)
        return len(self.shown)

    def shell_input(self, shell_id: str, *, after: int, wait_s: float) -> ShellInput:  # noqa: ARG002 - as above
        """See `ports.shell.ShellLine`."""
        self.polls += 1
        self.answer()
        fresh = tuple(typed for typed in self.typed if typed.number > after)
        if not fresh and not self.has_left:
            threading.Event().wait(_LOOK_S)
        return ShellInput(fresh, self.has_left)

    def shell_recording(self, shell_id: str, recording: ShellRecording) -> None:
        """See `ports.shell.ShellLine`."""
        self.answer()
        self.recordings[shell_id] = recording

    def type(self, data: bytes = b"", *, columns: int = 0, rows: int = 0) -> None:
        """Do something as the person."""
        self.typed.append(ShellTyped(len(self.typed) + 1, data, columns, rows))
