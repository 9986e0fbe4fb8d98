"""Starts the process of `ganglion serve` that holds the models, and hands it to its supervisor.

Imports as little as it can: everything that it imports delays the start of that process.
"""

import contextlib
import os
import signal
import subprocess
import sys

from ganglion.adapters.run_marks import RunMarks

_CHILD = ("-P", "-m", "ganglion.entrypoints.serve_child")
_STANDARD_STREAMS = 3
ENDING = (signal.SIGTERM, signal.SIGINT)
"""Signals by which people end the program."""
_SUPERVISOR = ("-P", "-m", "ganglion.entrypoints.serve.supervisor")


def open_standard_streams() -> None:
    """Open what of standard input, output and error is closed: a pipe to a child would take its number otherwise."""
    for descriptor in range(_STANDARD_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            # It gets the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


class Child:
    """The process with the models: its number, and the pipe on which it gets its order and sees that we are here."""

    def __init__(self, pid: int, orders: int, marks: RunMarks) -> None:
        self.pid, self._orders, self._marks = pid, orders, marks
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, marks: RunMarks) -> "Child":
        """Start a process, which waits for its order."""
        process = subprocess.Popen(  # noqa: S603 - this program itself
            (sys.executable, *_CHILD, str(marks.descriptor)),
            stdin=subprocess.PIPE,
            pass_fds=(marks.descriptor,),
            # A Ctrl-C in the terminal goes to the supervisor alone, which passes it on once.
            start_new_session=True,
        )
        assert process.stdin is not None, "it was asked for"
        child = cls(process.pid, process.stdin.fileno(), marks)
        child._process = process
        return child

    def order(self, line: bytes) -> None:
        """Tell the process what to serve, in one line."""
        with contextlib.suppress(BrokenPipeError):  # It has died, which is noticed elsewhere.
            os.write(self._orders, line + b"\n")

    def send(self, number: int) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ended(self) -> int | None:
        """Return the exit status if the process has ended; that of a signal is negative."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self._release()
        return os.waitstatus_to_exitcode(status)

    def _release(self) -> None:
        if self._process is None:
            os.close(self._orders)
            return
        assert self._process.stdin is not None, "it was asked for"
        self._process.stdin.close()
        self._process.returncode = 0  # It was waited for already.

    def become_supervised(self, order: bytes) -> None:
        """Give the process its order, and put a supervisor in the place of this program. Does not return."""
        written = os.memfd_create("ganglion-order")  # A pipe would hold 64 kB, and nobody reads yet.
        os.write(written, order)
        os.lseek(written, 0, os.SEEK_SET)
        handed = (self._orders, self._marks.descriptor, written)
        for descriptor in handed:
            os.set_inheritable(descriptor, True)
        # Nobody listens for signals while the interpreter starts: they wait until the supervisor does.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        numbers = [str(number) for number in (self.pid, *handed)]
        os.execv(sys.executable, (sys.executable, *_SUPERVISOR, *numbers))  # noqa: S606 - this program itself
