"""What an interactive session needs of the machine and of the hub. Everything blocks, and everything has a deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ganglion.core.asciicast import CastHeader, CastKind
from ganglion.wire.shells import ShellInput, ShellOutput, ShellRecording


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellCall:
    """What to start."""

    command: tuple[str, ...]
    seconds: int
    """How long it can last: a limit of processor time that the kernel keeps, beside everybody else's."""
    columns: int
    rows: int


class ShellProcess(Protocol):
    """A program on a terminal of its own, with everything that it starts."""

    def read(self, *, bytes_max: int, wait_s: float) -> bytes | None:
        """Return what it showed; empty: nothing in time. None: it has ended, and all was read."""
        ...

    def write(self, data: bytes, *, wait_s: float) -> int:
        """Type into it; return how many bytes it took in time."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        ...

    def end(self) -> None:
        """End it and everything that it started, and free what it held. Ending twice is the same as once."""
        ...


class ShellStarter(Protocol):
    """Starts programs on terminals."""

    def why_not(self) -> str:
        """Return why this machine has no terminals to give; empty when it has."""
        ...

    def start(self, call: ShellCall) -> ShellProcess:
        """Start a program. Raises: Overloaded: no process can be made. DiskUnusable."""
        ...


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside a recording."""

    id: str
    person: str
    reason: str
    begun_at_s: float
    closed_by: str = ""
    """Empty: it is not over, or the agent was cut off in the middle of it."""
    seconds: float = 0.0
    sha256: str = ""
    handed_over: str = ""
    """What the hub said of it: taken, or why not; empty: it has not been asked."""


class Recording(Protocol):
    """One session being written down."""

    def add(self, kind: CastKind, data: bytes, *, at_s: float) -> bool:
        """Write something down, durable enough for a crash of the agent. False: the recording is full.

        Raises: DiskUnusable.
        """
        ...

    def close(self, *, at_s: float) -> str:
        """Finish it, and return its SHA-256. Raises: DiskUnusable."""
        ...


class Recordings(Protocol):
    """Recordings of this machine, newest kept, within limits."""

    def begin(self, closing: Closing, header: CastHeader) -> Recording:
        """Begin one; the oldest ones go when there are too many. Raises: DiskUnusable."""
        ...

    def note(self, closing: Closing) -> None:
        """Keep what became of one. Raises: DiskUnusable."""
        ...

    def kept(self) -> Sequence[Closing]:
        """Return all, oldest first. Raises: DiskUnusable."""
        ...

    def content(self, shell_id: str) -> bytes:
        """Return the file. Raises: NotFound, DiskUnusable."""
        ...


class ShellNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine tells of an open session: the content of DATA/run/shell.json while there is one."""

    id: str
    person: str
    role: str
    reason: str
    until_s: float
    """Wall-clock time of its end at the latest, seconds since 1970."""
    pid: int
    """The agent."""


class NoticeBoard(Protocol):
    """Where people on the machine see that a session is open, and close it."""

    def show(self, notice: ShellNotice) -> None:
        """Tell of a session. Raises: DiskUnusable: it cannot be told, so it must not be."""
        ...

    def clear(self) -> None:
        """There is no session any more."""
        ...

    def is_closing_wanted(self) -> bool:
        """Tell whether somebody on the machine wants it closed."""
        ...


class ShellLine(Protocol):
    """The node's side of a session's line to the hub. Raises what `HubLink` raises, and NotFound: it is over there."""

    def shell_output(self, shell_id: str, output: ShellOutput) -> int:
        """Hand over output; return how far the hub has it. Waits for room for a while."""
        ...

    def shell_input(self, shell_id: str, *, after: int, wait_s: float) -> ShellInput:
        """Wait for what the person does next."""
        ...

    def shell_recording(self, shell_id: str, recording: ShellRecording) -> None:
        """Hand over the recording of a session that is over."""
        ...
