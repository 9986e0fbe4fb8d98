"""Runs actions as processes of their own. Implements `ports.action_runner.ActionRunner`."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Sequence

from ganglion.core.errors import Overloaded
from ganglion.ports.action_runner import ActionCall, ActionOutcome
from ganglion.ports.clock import Clock

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/"}
_CHUNK_BYTES = 65_536


class ProcessActions:
    """`command` starts the child that becomes the program; see `entrypoints.action_child`."""

    def __init__(self, *, command: Sequence[str], clock: Clock) -> None:
        self._command, self._clock = tuple(command), clock
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False

    def run(self, call: ActionCall) -> ActionOutcome:
        """See the port."""
        child = self._start(call)
        try:
            output, ended_by = self._listen(child, call)
        finally:
            # With everything that it started; it is not waited for yet, so its number is its own.
            _kill(child)
            code = child.wait()
            if child.stdout is not None:
                child.stdout.close()
            with self._guard:
                self._running.discard(child)
        return ActionOutcome(code, output, ended_by)

    @property
    def running(self) -> int:
        """How many actions run now."""
        return len(self._running)

    def stop(self) -> None:
        """See the port."""
        with self._guard:
            self._is_stopped = True
            for child in self._running:
                _kill(child)

    def _start(self, call: ActionCall) -> "subprocess.Popen[bytes]":
        with self._guard:
            if self._is_stopped:
                raise Overloaded("the agent ends")
            try:
                child = subprocess.Popen(  # noqa: S603 - the envelope signed this command line; no shell reads it
                    (*self._command, str(os.getpid()), call.directory, *call.command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise Overloaded(f"no process can be made: {error}") from error
            self._running.add(child)
            return child

    def _listen(self, child: "subprocess.Popen[bytes]", call: ActionCall) -> tuple[bytes, str]:
        """Return the output, and which limit ended the program, if one did.

        It is over when the program has ended, even where something that it started holds the pipe open.
        """
        assert child.stdout is not None, "it was asked for"
        ends_at_s = self._clock.monotonic_s() + call.time_s
        output = bytearray()
        os.set_blocking(child.stdout.fileno(), False)
        end = os.pidfd_open(child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(child.stdout, selectors.EVENT_READ)
                selector.register(end, selectors.EVENT_READ)
                while (left_s := ends_at_s - self._clock.monotonic_s()) > 0:
                    ready = {key.fileobj for key, _ in selector.select(left_s)}
                    piece = (child.stdout.read(_CHUNK_BYTES) or b"") if child.stdout in ready else b""
                    output += piece
                    if len(output) > call.output_bytes:
                        return bytes(output[: call.output_bytes]), "output"
                    # What it wrote before it ended is in the pipe by then, and is read first.
                    if end in ready and not piece:
                        return bytes(output), ""
                    if child.stdout in ready and not piece:
                        selector.unregister(child.stdout)
        finally:
            os.close(end)
        return bytes(output), "time"


def _kill(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
