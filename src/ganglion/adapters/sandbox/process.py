"""Starts a sandbox child, waits for its report, and ends it whatever happens. Implements `ports.sandbox.Sandbox`."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganglion.adapters.sandbox.report import READY, REPORT_BYTES_MAX, Job, Refusal, decode_outcome, encode_job
from ganglion.core.errors import (
    GanglionError,
    GoldenMissing,
    InvalidPackage,
    MissingExtra,
    NotFound,
    Overloaded,
    TargetMismatch,
)
from ganglion.ports.sandbox import Trial
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.trust.model_files.limits import ModelFileLimits

_GRACE_S = 2
"""The child ends itself at its limits and says why; this process waits a little longer before it ends it."""
_KNOWN: Mapping[str, type[GanglionError]] = {
    kind.code: kind for kind in (InvalidPackage, TargetMismatch, MissingExtra, GoldenMissing, NotFound)
}


class ProcessSandbox:
    """Tries each version in a new process.

    `command` starts the child, which is given its job as one more argument; `environment` is all that it inherits.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        limits: SandboxLimits,
        gate: ModelFileLimits,
    ) -> None:
        self._command, self._environment = tuple(command), dict(environment)
        self._limits, self._gate = limits, gate

    def try_out(self, directory: Path) -> Trial:
        """Try an unpacked package. Raises: InvalidPackage and others; see `ports.sandbox.Sandbox`."""
        job = Job(directory=str(directory.absolute()), limits=self._limits, gate=self._gate)
        report, code, is_late = self._run(encode_job(job))
        if not report.startswith(READY):
            raise Overloaded(f"the sandbox could not start ({_ending(code)}); the log of this process may say more")
        outcome = decode_outcome(report.removeprefix(READY))
        if isinstance(outcome, Trial):
            return outcome
        if isinstance(outcome, Refusal):
            raise _KNOWN.get(outcome.code, InvalidPackage)(outcome.message)
        raise InvalidPackage(f"in the sandbox the model {self._why(code, is_late=is_late)}")

    def _run(self, job: str) -> tuple[bytes, int, bool]:
        """Return what the child reported, its exit code, and whether it had to be ended."""
        late = threading.Event()
        with self._start(job) as child:
            assert child.stdout is not None

            def end() -> None:
                late.set()
                _kill(child)

            timer = threading.Timer(self._limits.wall_s_max + _GRACE_S, end)
            timer.daemon = True
            timer.start()
            try:
                report = child.stdout.read(REPORT_BYTES_MAX)
            finally:
                timer.cancel()
                code = _ended(child)
        return report, code, late.is_set()

    def _start(self, job: str) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # noqa: S603 - our own program, with arguments of ours
                (*self._command, job),
                # The child goes when this pipe ends: it does not outlive a process that was killed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise Overloaded(f"the sandbox could not start: {error.strerror}") from error

    def _why(self, code: int, *, is_late: bool) -> str:
        limits = self._limits
        if is_late or code == -signal.SIGALRM:
            return f"was not done after {limits.wall_s_max} s and was ended: wall_s_max"
        if code == -signal.SIGXCPU:
            return f"used more than {limits.cpu_s_max} s of processor time and was ended: cpu_s_max"
        if code == -signal.SIGKILL:
            return "was ended by the system, most likely for its memory"
        return f"took its process down: {_ending(code)}"


def _ended(child: "subprocess.Popen[bytes]") -> int:
    """Wait for a child that has said all it will; one that stays is killed."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(timeout=_GRACE_S)
    _kill(child)
    return child.wait()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End the child with everything that it may have started. It is not waited for yet, so its number is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
