"""Programs on terminals of their own. Implements `ports.shell.ShellStarter`. Linux alone has all that it takes."""

import contextlib
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from ganglion.core.errors import Overloaded
from ganglion.disk import disk_errors
from ganglion.ports.clock import Clock
from ganglion.ports.shell import ShellCall

_END_S = 4.0
_ROUNDS_MAX, _ROUND_MS = 100, 10
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_MARK = "GANGLION_SHELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class PtyLimits:
    """Limits of each program of a session; 0: none."""

    memory_bytes: int = 0
    """Memory that a program may write to."""
    files: int = 0
    """Files that a program may hold open."""
    processes: int = 0
    """Processes and threads of the user, all together, at which a program can start no more."""


class PtyShells:
    """`child` starts what holds a session (`entrypoints.shell_child`). Sessions begin in `folder`, which is empty."""

    def __init__(self, *, child: Sequence[str], folder: Path, clock: Clock, limits: PtyLimits) -> None:
        self._child, self._folder, self._clock, self._limits = tuple(child), folder, clock, limits
        self._count = 0

    def why_not(self) -> str:
        """See the port."""
        if sys.platform != "linux":
            return f"this machine runs {sys.platform}, and a shell needs the terminals and processes of Linux"
        if not Path("/dev/ptmx").exists():
            return "this machine has no /dev/ptmx: no terminal can be made"
        return ""

    def start(self, call: ShellCall) -> "PtyShell":
        """See the port."""
        self._empty_folder()
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise Overloaded(f"no terminal can be made: {error.strerror or error}") from error
        held, lifeline = os.pipe()
        self._count += 1
        mark = f"{os.getpid()}-{self._count}"
        try:
            _resize(master, call.columns, call.rows)
            os.set_blocking(master, False)
            process = self._spawn(call, terminal=slave, held=held, mark=mark)
        except (OSError, ValueError) as error:
            os.close(master)
            os.close(lifeline)
            raise Overloaded(f"no process can be made: {error}") from error
        finally:
            os.close(slave)
            os.close(held)
        return PtyShell(process, master=master, lifeline=lifeline, mark=mark, clock=self._clock)

    def _spawn(self, call: ShellCall, *, terminal: int, held: int, mark: str) -> "subprocess.Popen[bytes]":
        chosen = self._limits
        limits = f"cpu={call.seconds},memory={chosen.memory_bytes},files={chosen.files},processes={chosen.processes}"
        words = (str(terminal), str(held), mark, str(self._folder), limits)
        return subprocess.Popen(  # noqa: S603 - the envelope signed this command line
            (*self._child, *words, *call.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=(terminal, held),
            start_new_session=True,
        )

    def _empty_folder(self) -> None:
        with disk_errors(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


class PtyShell:
    """See `ports.shell.ShellProcess`. One thread reads, one writes, and any may end it."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", *, master: int, lifeline: int, mark: str, clock: Clock
    ) -> None:
        self._process, self._master, self._lifeline = process, master, lifeline
        self._mark, self._clock = mark, clock
        self._end_of_process = os.pidfd_open(process.pid)
        self._unused = threading.Condition()
        self._users = 0
        self._is_ended = False

    @property
    def pid(self) -> int:
        """The process that holds the session, and ends with it."""
        return self._process.pid

    def read(self, *, bytes_max: int, wait_s: float) -> bytes | None:
        """See the port."""
        with self._using() as is_open:
            if not is_open:
                return None
            if not _is_ready((self._master, self._end_of_process), select.POLLIN, wait_s):
                return b""
            # The kernel says EIO when nobody holds the other side any more.
            with contextlib.suppress(OSError):
                data = os.read(self._master, bytes_max)
                if data:
                    return data
            return None if _is_ready((self._end_of_process,), select.POLLIN, wait_s) else b""

    def write(self, data: bytes, *, wait_s: float) -> int:
        """See the port."""
        ends_at_s, written = self._clock.monotonic_s() + wait_s, 0
        with self._using() as is_open:
            while is_open and not self._is_ended and written < len(data):
                left_s = ends_at_s - self._clock.monotonic_s()
                if left_s < 0 or not _is_ready((self._master,), select.POLLOUT, left_s):
                    break
                try:
                    written += os.write(self._master, data[written:])
                except BlockingIOError:
                    break
                except OSError:
                    # Nobody holds the other side any more: what is typed now is typed at nobody.
                    return len(data)
        return written

    def resize(self, columns: int, rows: int) -> None:
        """See the port."""
        with self._using() as is_open, contextlib.suppress(OSError):
            if is_open:
                _resize(self._master, columns, rows)

    def end(self) -> None:
        """See the port."""
        with self._unused:
            if self._is_ended:
                return
            self._is_ended = True
        # What holds the session sees the end of the pipe, ends everything below it, and ends.
        os.close(self._lifeline)
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code < 0:
            # It was killed, and could end nothing: what it held is found by its mark.
            _end_marked(self._mark)
        with self._unused:
            self._unused.wait_for(lambda: not self._users, timeout=_END_S)
            os.close(self._master)
            os.close(self._end_of_process)

    @contextlib.contextmanager
    def _using(self) -> Iterator[bool]:
        """Keep the descriptors from being closed, and given to somebody else, under a thread that uses them."""
        with self._unused:
            is_open = not self._is_ended
            self._users += is_open
        try:
            yield is_open
        finally:
            with self._unused:
                self._users -= is_open
                self._unused.notify_all()


def _resize(master: int, columns: int, rows: int) -> None:
    ioctl(master, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _is_ready(descriptors: Sequence[int], what: int, wait_s: float) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, what)
    return bool(poll.poll(wait_s * 1000))


def _end_marked(mark: str) -> None:
    """End every process with this mark, and whatever one of them starts meanwhile."""
    entry = f"{_MARK}={mark}".encode()
    for _ in range(_ROUNDS_MAX):
        found = [process for process in Path("/proc").iterdir() if process.name.isdigit() and _has(process, entry)]
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)
        select.poll().poll(_ROUND_MS)


def _has(process: Path, entry: bytes) -> bool:
    try:
        return entry in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        # It is gone by now, or somebody else's, and none of ours.
        return False
