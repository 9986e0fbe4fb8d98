"""The process of `ganglion serve` that holds no models: it starts the one that does, again and again if need be.

    python -P -m ganglion.entrypoints.serve.supervisor CHILD ORDERS MARKS ORDER

It takes over from the command line, in the same process, by `exec`: what parsing options left in memory goes. Its
imports are few and small, so that it costs next to nothing and almost nothing can take it down.
"""

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from types import FrameType

from ganglion.adapters.run_marks import Label, RunMarks
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.processes.exit_words import why_ended
from ganglion.entrypoints.serve.start import ENDING, Child
from ganglion.node.domain.serving.restarts import RestartDecision, after_exit
from ganglion.node.domain.update.quarantine import Deaths

_CHUNK_BYTES = 65_536
_UNEXPLAINED_MAX = 3
"""Deaths before the first client could come, and with no model to blame: there is no use in going on."""
_GRACE_S = 10.0
"""Beyond `drain_s`, before a process that does not end is killed."""
_LOOK_S = 5.0
"""How often the marks of a run are looked at: a child that is stuck with Python's lock cannot look itself."""


class Supervisor:
    """Keeps one child alive until somebody ends it, or it ends itself in good order."""

    def __init__(self, child: Child, marks: RunMarks, order: Mapping[str, object]) -> None:
        self._child, self._marks, self._order = child, marks, order
        settings = order["settings"]
        assert isinstance(settings, dict), "the command line wrote it"
        self._settings: Mapping[str, float] = settings
        self._deaths: Deaths[Label] = Deaths()
        self._port = self._grpc_port = self._unexplained = 0
        self._kill_at_s: float | None = None
        self._ended_by = 0
        self._now_s = SystemClock.monotonic_s
        self._wakes, self._woken = os.pipe()

    def run(self) -> int:
        """Return the status with which to end."""
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken)
        for number in (*ENDING, signal.SIGCHLD):
            signal.signal(number, _wake)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        self._child.order(json.dumps(self._order).encode())
        decision = RestartDecision(delay_s=0.0, failures=0)
        while True:
            began_s = self._now_s()
            code = self._wait_for_child()
            is_crash = code < 0 or self._marks.is_hung
            # A child that ends in good order means it: there is nothing to serve, or somebody ended it.
            if self._kill_at_s is not None or code == 0 or not (is_crash or self._port):
                return self._status(code)
            suspects = self._marks.suspects() if is_crash else []
            self._unexplained = 0 if suspects or self._port else self._unexplained + 1
            if self._unexplained >= _UNEXPLAINED_MAX:
                return self._status(code)
            ran_s, delay_s_max = self._now_s() - began_s, self._settings["restart_s_max"]
            decision = after_exit(decision.failures, ran_s=ran_s, delay_s_max=delay_s_max)
            self._say_why(code, suspects)
            if self._is_ended_within(decision.delay_s):
                return self._status(code)
            self._start_again()

    def _wait_for_child(self) -> int:
        while (code := self._child.ended()) is None:
            self._note_ports()
            self._await_wake(_LOOK_S)
            self._end_what_is_late()
        self._note_ports()
        return code

    def _note_ports(self) -> None:
        """Remember where clients come: they come there again."""
        self._port = self._marks.port or self._port
        self._grpc_port = self._marks.grpc_port or self._grpc_port

    def _end_what_is_late(self) -> None:
        """Kill a child that should have ended, or that is stuck in a model and has not noticed."""
        now_s, run_s_max = self._now_s(), self._settings["run_s_max"]
        is_late = self._kill_at_s is not None and now_s > self._kill_at_s
        stuck = self._marks.stuck(now_s=now_s, run_s_max=run_s_max)
        if stuck is not None:
            self._marks.tell_hung(stuck)
            is_late = True
        if is_late:
            self._child.send(signal.SIGKILL)

    def _start_again(self) -> None:
        self._marks.clear()
        self._child = Child.start(self._marks)
        quarantined = [label.text for label in self._deaths.quarantined]
        ports = {"port": self._port, "grpc_port": self._grpc_port}
        order = {**self._order, **ports, "quarantined": quarantined}
        self._child.order(json.dumps(order).encode())

    def _say_why(self, code: int, suspects: list[Label]) -> None:
        before = self._deaths.quarantined
        deaths_max = int(self._settings["deaths_max"])
        self._deaths = self._deaths.after(suspects, now_s=self._now_s(), deaths_max=deaths_max)
        _note(f"the serving process ended ({why_ended(code, suspects, is_hung=self._marks.is_hung)}); it starts again")
        for label in self._deaths.quarantined - before:
            _note(f"quarantined: {label.model} version {label.version}, after {deaths_max} times; replace its file")

    def _is_ended_within(self, delay_s: float) -> bool:
        until_s = self._now_s() + delay_s
        while self._kill_at_s is None and (left_s := until_s - self._now_s()) > 0:
            self._await_wake(left_s)
        return self._kill_at_s is not None

    def _status(self, code: int) -> int:
        """Return an exit status as a shell would tell it; a child that was passed a signal on died of ours."""
        if code == -signal.SIGTERM and self._ended_by:
            return 128 + self._ended_by
        return 128 - code if code < 0 else code

    def _await_wake(self, within_s: float) -> None:
        """Wait for a signal; pass those on that end the program."""
        if not select.select([self._wakes], [], [], within_s)[0]:
            return
        for number in os.read(self._wakes, _CHUNK_BYTES):
            if number in ENDING:
                # Not a SIGINT, which is an exception with a traceback until the child has imported everything.
                self._child.send(signal.SIGTERM)
                self._ended_by = self._ended_by or number
                self._kill_at_s = self._kill_at_s or self._now_s() + self._settings["drain_s"] + _GRACE_S


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the number has been written to the pipe that the supervisor waits at."""


def _note(line: str) -> None:
    with contextlib.suppress(OSError):  # Who does not listen any more is no reason to stop serving.
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - for the person at the terminal


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def main() -> None:
    """Take over a child that was started already."""
    pid, orders, marks, order = (int(word) for word in sys.argv[1:5])
    for descriptor in (orders, marks):
        os.set_inheritable(descriptor, False)
    held = RunMarks(marks)
    sys.exit(Supervisor(Child(pid, orders, held), held, json.loads(_read(order))).run())


if __name__ == "__main__":
    main()
