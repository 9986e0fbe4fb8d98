"""`ganglion node run`: keeps the agent and the serving process alive, and does nothing else.

It imports no numpy and holds no model, so that almost nothing can take it down. Children hold the read
end of a pipe of which it has the write end: when it dies, however, they see the end of the pipe and go.
They also inherit the lock on the data directory, so a new supervisor waits until they are gone.
"""

import asyncio
import contextlib
import errno
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from ganglion.adapters.files import DirectoryLock, lock_directory
from ganglion.adapters.run_marks import Label, RunMarks
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import DataCorrupt, DataInUse, InvalidSettings, PortInUse
from ganglion.core.identity_errors import NotJoined
from ganglion.entrypoints.client_access.guard import check_exposure
from ganglion.entrypoints.processes.exit_words import why_ended
from ganglion.entrypoints.settings.tree import NodeSettings, child_environment
from ganglion.node.domain.serving.restarts import RestartDecision, after_exit
from ganglion.node.domain.update.quarantine import Deaths
from ganglion.node.services.identity import load_identity
from ganglion.node.services.places import Places

log = structlog.get_logger()

_LOCK_TRIES, _LOCK_PAUSE_S = 50, 0.2
_HEAD_START_S, _HEAD_START_LOOK_S = 3.0, 0.01
_NOT_STARTED = 127
_LOOK_S = 5.0
_FATAL = frozenset({7})
"""Exit code of `Broken` errors (see docs/reference/errors.md): starting again at once cannot help."""


@dataclass(frozen=True, slots=True)
class Program:
    """A child: its name in the log, its module, and whether a model can take it down."""

    name: str
    module: str
    runs_models: bool = False


PROGRAMS = (
    Program("serving", "ganglion.entrypoints.node.serving_process", runs_models=True),
    Program("agent", "ganglion.entrypoints.node.agent_process"),
)


async def supervise(settings: NodeSettings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises: NotJoined, DataCorrupt, DataInUse, DiskUnusable, PortInUse, InvalidSettings.
    """
    _check_identity(Places(settings.data_path))
    lock = await _lock(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await _check_address(settings)
        listening = Places(settings.data_path).listening
        with contextlib.suppress(OSError):
            listening.unlink(missing_ok=True)
        async with asyncio.TaskGroup() as tasks:
            for program in PROGRAMS:
                tasks.create_task(_Keeper(program, settings, lock, stopping).run())
                # Serving comes first, and has the cores to itself until it answers.
                await _wait_for(listening, stopping)
    finally:
        lock.release()


class _Keeper:
    """One child, kept alive."""

    def __init__(self, program: Program, settings: NodeSettings, lock: DirectoryLock, stopping: asyncio.Event) -> None:
        self._program, self._settings, self._lock, self._stopping = program, settings, lock, stopping
        self._clock = SystemClock()
        self._marks = RunMarks.create()
        self._deaths: Deaths[Label] = Deaths()

    async def run(self) -> None:
        decision = RestartDecision(delay_s=0.0, failures=0)
        while not await self._is_stopped_within(decision.delay_s):
            started_s = self._clock.monotonic_s()
            try:
                code = await self._run_once()
            except OSError as error:
                # Too little memory for a process is no reason to take the other one down.
                log.error("process.not_started", program=self._program.name, reason=str(error))  # noqa: TRY400 - expected
                code = _NOT_STARTED
            if self._stopping.is_set():
                return
            self._blame(code)
            ran_s = self._clock.monotonic_s() - started_s
            delay_s_max = self._settings.restart_s_max
            decision = after_exit(decision.failures, ran_s=ran_s, delay_s_max=delay_s_max)
            if code in _FATAL:
                decision = RestartDecision(delay_s=delay_s_max, failures=decision.failures)
            log.warning(
                "process.ended", program=self._program.name, code=code, ran_s=round(ran_s, 1),
                restart_in_s=round(decision.delay_s, 2),
            )  # fmt: skip

    def _blame(self, code: int) -> None:
        """Note which versions ran when the process died; one that did so too often is not loaded again."""
        suspects = self._marks.suspects() if code < 0 or self._marks.is_hung else []
        before, deaths_max = self._deaths.quarantined, self._settings.serving.deaths_max
        self._deaths = self._deaths.after(suspects, now_s=self._clock.monotonic_s(), deaths_max=deaths_max)
        if suspects:
            log.error("process.died_in_model", reason=why_ended(code, suspects, is_hung=self._marks.is_hung))
        for label in self._deaths.quarantined - before:
            log.error("version.quarantined", model=label.model, version=label.version, deaths=deaths_max)

    def _command(self) -> Sequence[str]:
        command = [sys.executable, "-m", self._program.module]
        if self._program.runs_models:
            command += ["--marks", str(self._marks.descriptor)]
            command += [f"--quarantined={label.text}" for label in self._deaths.quarantined]
        return command

    async def _run_once(self) -> int:
        self._marks.clear()
        process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.PIPE,
            env=child_environment(self._settings),
            pass_fds=(self._lock.fileno(), self._marks.descriptor),
            # A Ctrl-C in the terminal goes to the supervisor alone, which then stops its children in order.
            start_new_session=True,
        )
        log.info("process.started", program=self._program.name, pid=process.pid)
        waiting = asyncio.ensure_future(process.wait())
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            while not (await asyncio.wait({waiting, stop}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED))[0]:
                self._end_if_stuck(process)
            if not waiting.done():
                await self._stop(process, waiting)
            return waiting.result()
        finally:
            stop.cancel()

    def _end_if_stuck(self, process: asyncio.subprocess.Process) -> None:
        """Kill a process that is stuck in a model and cannot even notice it."""
        run_s_max = self._settings.serving.run_s_max
        stuck = self._marks.stuck(now_s=self._clock.monotonic_s(), run_s_max=run_s_max)
        if stuck is not None:
            self._marks.tell_hung(stuck)
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _stop(self, process: asyncio.subprocess.Process, waiting: "asyncio.Future[int]") -> None:
        process.terminate()
        done, _ = await asyncio.wait({waiting}, timeout=self._settings.stop_s)
        if not done:
            log.warning("process.killed", program=self._program.name, after_s=self._settings.stop_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await waiting

    async def _is_stopped_within(self, delay_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), timeout=delay_s)
        return self._stopping.is_set()


def _check_identity(places: Places) -> None:
    """Refuse a directory that is no node's. Raises: NotJoined, DataCorrupt."""
    try:
        load_identity(places.identity)
    except (NotJoined, DataCorrupt) as error:
        # What was committed here is served whatever became of the identity; only the agent cannot do without it.
        if not places.active.exists():
            raise
        log.error("identity.unusable", code=error.code, reason=error.message, remedy=error.remedy)  # noqa: TRY400 - ours


async def _check_address(settings: NodeSettings) -> None:
    """Find out at the start, while somebody looks, that clients cannot be served here.

    Raises: PortInUse, InvalidSettings.
    """
    host, port = settings.serving.host, settings.serving.port
    clients = Places(settings.data_path).clients
    check_exposure(host, open_to_network=settings.serving.open_to_network, clients=clients)
    try:
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, reuse_address=True, start_serving=False
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"another program listens on {host}:{port} already") from error
        raise InvalidSettings(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    server.close()


async def _wait_for(file: Path, stopping: asyncio.Event) -> None:
    """Return when the file is there, or after a moment: what does not come must not hold up what is next."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_HEAD_START_S):
            while not file.exists() and not stopping.is_set():  # noqa: ASYNC110, ASYNC240 - no event
                await asyncio.sleep(_HEAD_START_LOOK_S)


async def _lock(settings: NodeSettings) -> DirectoryLock:
    """Take the data directory; children of a supervisor that was killed need a moment to go."""
    for attempt in range(1, _LOCK_TRIES + 1):
        try:
            return lock_directory(settings.data_path)
        except DataInUse as error:
            if attempt == _LOCK_TRIES:
                raise
            if attempt == 1:
                log.info("directory.awaited", reason=error.message, wait_s=_LOCK_TRIES * _LOCK_PAUSE_S)
            await asyncio.sleep(_LOCK_PAUSE_S)
    raise AssertionError("the last attempt returned or raised")
