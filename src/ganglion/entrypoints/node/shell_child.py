"""What an interactive session runs below.

    python -I -S shell_child.py TERMINAL LIFELINE MARK DIRECTORY LIMITS PROGRAM [ARGUMENT …]

It starts the program on the terminal, adopts everything that the program leaves behind, and ends all of it when the
program ends, or when the other end of the lifeline is closed: by its parent, or with its parent. Its exit code is
the program's.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl

_PR_SET_CHILD_SUBREAPER = 36
_NICE = 10
_NOT_RUN = 126
_ROUNDS_MAX = 200
_ROUND_MS = 10
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
    "HISTFILE": "/dev/null",
}
_STAT_FIELDS_BEFORE_PARENT = 1
_LIMIT_KINDS = {
    "cpu": resource.RLIMIT_CPU,
    "memory": resource.RLIMIT_DATA,
    "files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}


def main() -> None:
    """Hold one session, and exit as its program did."""
    terminal, lifeline, mark, directory, limits, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wakes)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    child = os.fork()
    if child == 0:
        _become(int(terminal), {**_ENVIRONMENT, "GANGLION_SHELL": mark, "HOME": directory}, limits, command)
    os.close(int(terminal))
    status = _wait(child, int(lifeline), woken)
    _end_all()
    os._exit(_NOT_RUN if status is None else _code(status))


def _become(terminal: int, environment: dict[str, str], limits: str, command: list[str]) -> None:
    try:
        os.setsid()
        ioctl(terminal, termios.TIOCSCTTY, 0)
        for number in (0, 1, 2):
            os.dup2(terminal, number)
        os.closerange(3, 1024)
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(name, signal.SIG_DFL)
        os.nice(_NICE)
        os.umask(0o077)
        _limit(limits)
        os.chdir(environment["HOME"])
        os.execve(command[0], command, environment)  # noqa: S606 - the envelope signed this command line
    except (OSError, ValueError) as error:
        os.write(2, f"{command[0]}: {error}\r\n".encode())
        os._exit(_NOT_RUN)


def _limit(limits: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for pair in limits.split(","):
        name, _, text = pair.partition("=")
        value = int(text)
        if value:
            _, most = resource.getrlimit(_LIMIT_KINDS[name])
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(_LIMIT_KINDS[name], (value, value))


def _wait(child: int, lifeline: int, woken: int) -> int | None:
    """Return the program's status when it has ended; None: it has to be ended."""
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == lifeline:
                return None
        numbers = os.read(woken, 4096)
        if signal.SIGTERM in numbers or signal.SIGHUP in numbers:
            return None
        for ended, status in _reaped():
            if ended == child:
                return status


def _end_all() -> None:
    """End every descendant. What one of them starts meanwhile is adopted, and found in the next round."""
    for _ in range(_ROUNDS_MAX):
        below = _descendants()
        if not below:
            return
        for process in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        for _ended in _reaped():
            pass
        select.poll().poll(_ROUND_MS)


def _reaped() -> Iterator[tuple[int, int]]:
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended == 0:
            return
        yield ended, status


def _descendants() -> list[int]:
    parents = dict(_parents())
    below, found = {os.getpid()}, True
    while found:
        more = {process for process, parent in parents.items() if parent in below and process not in below}
        below |= more
        found = bool(more)
    return sorted(below - {os.getpid()})


def _parents() -> Iterator[tuple[int, int]]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - starts at once: pathlib takes longer to import than the rest
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                    # The name of a program, in parentheses, may hold anything.
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    yield int(name), int(fields[_STAT_FIELDS_BEFORE_PARENT])


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
