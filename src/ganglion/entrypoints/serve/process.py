"""`ganglion serve`: the serving core and its HTTP server around the models of one path. No hub, no agent, no state."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from ganglion.adapters.journal import JournalLimits, JournalWriter
from ganglion.adapters.memory_limit import limit_memory
from ganglion.adapters.run_marks import Label, RunMarks, Running
from ganglion.adapters.scratch import scratch_directory
from ganglion.core.errors import GanglionError, InvalidPackage
from ganglion.entrypoints.client_access.listening import uds_of
from ganglion.entrypoints.inference_api.repository import Repository, RepositoryTasks
from ganglion.entrypoints.models.chosen_target import ChosenTarget
from ganglion.entrypoints.models.cores import threads_of
from ganglion.entrypoints.processes.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.serve import words as serve_words
from ganglion.entrypoints.serve.no_journal import NoJournal
from ganglion.entrypoints.serve.served_models import Loaded, ServedModels
from ganglion.entrypoints.serve.source_opener import SourceOpener
from ganglion.entrypoints.serving.core import ServingCore, serving_core, settle_memory
from ganglion.entrypoints.serving.edges import Edges, serve_clients
from ganglion.entrypoints.serving.hang_watch import HangWatch, call_give_up, hung
from ganglion.entrypoints.serving.marked_models import MarkedModels
from ganglion.entrypoints.settings.serve import ServeSettings
from ganglion.node.services.serving.commands import LoadLimits
from ganglion.ports.journal import JournalSink
from ganglion.wire.desired import CollectionSettings

_RESULTS_ONLY = CollectionSettings(
    confidence_below=0.0, random_share=0.0, bytes_per_hour=0, disagreements=False, quality_looks_per_minute=0
)
"""Nobody asked for samples: what clients send stays in memory."""
_BIND_WAIT_S = 5.0
"""How long the port of a process that died may take to become free."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How the process speaks to the person who started it: `say` what was asked for, `note` everything else."""

    say: Callable[[str], None]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parent:
    """The supervisor of this process: it holds `marks`, too, and starts the process again when it dies."""

    marks: RunMarks
    quarantined: tuple[Label, ...] = ()
    """Versions that took the processes before this one down."""
    port: int = 0
    """Where the process before this one listened; 0: this is the first."""
    grpc_port: int = 0
    """Where it listened for gRPC; 0: nowhere, or this is the first."""


def run_serve(
    path: Path, settings: ServeSettings, voice: Voice, *, journal: Path | None = None, parent: Parent | None = None
) -> None:
    """Serve until SIGTERM, Ctrl-C or the end of `parent`; records go into the directory `journal`, if there is one.

    Raises: NotFound, InvalidPackage: nothing can be served. PortInUse, InvalidSettings, DataInUse, DiskUnusable.
    """
    if settings.memory_bytes_max:
        limit_memory(settings.memory_bytes_max)
    process = ServeProcess(path, settings, voice, journal=journal, parent=parent)
    anyio.run(process.run, backend_options={"use_uvloop": True})


class ServeProcess:
    """One run of `ganglion serve`."""

    def __init__(
        self, path: Path, settings: ServeSettings, voice: Voice, *, journal: Path | None, parent: Parent | None
    ) -> None:
        self._path, self._settings, self._voice, self._journal = path, settings, voice, journal
        self._has_parent = parent is not None
        self._parent = parent or Parent(RunMarks.create())
        self._stop = anyio.Event()
        self._server: Edges | None = None

    async def run(self) -> None:
        """Load, listen, and end cleanly."""
        failure: GanglionError | None = None
        give_up = partial(self._give_up, asyncio.get_running_loop())
        HangWatch(self._parent.marks, run_s_max=self._settings.run_s_max, answer=give_up).start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._await_signals, tasks.cancel_scope)
            if self._has_parent:
                tasks.start_soon(self._await_parent, tasks.cancel_scope)
            try:
                await self._run(tasks)
            except GanglionError as error:
                failure = error
            tasks.cancel_scope.cancel()
        # Raised here, because a task group would wrap it.
        if failure is not None:
            raise failure

    async def _run(self, tasks: TaskGroup) -> None:
        settings = self._settings
        with scratch_directory() as scratch, self._records() as records:
            opener = SourceOpener(
                scratch=scratch,
                threads=threads_of(settings.threads),
                batch_max=settings.batch_max,
                gate=settings.model_files,
                target=ChosenTarget(settings.target),
                models=MarkedModels(self._parent.marks, self._parent.quarantined),
            )
            with serving_core(
                open_package=opener.open,
                journal=records,
                collection=_RESULTS_ONLY,
                queue_len_max=settings.queue_len_max,
                batching=settings.batching,
                limits=LoadLimits(versions_max=settings.versions_max),
            ) as core:
                models = ServedModels(self._path, commands=core.commands, opener=opener, split=settings.split)
                loaded = await models.load_all()
                self._complain(loaded)
                settle_memory()
                repository = RepositoryTasks(tasks, load=models.load, unload=models.unload)
                await self._listen(core, loaded, repository)

    async def _listen(self, core: ServingCore, loaded: Loaded, repository: Repository) -> None:
        settings, wait_s = self._settings, 0.0
        clients = settings.clients_path
        if self._parent.port:
            # Clients know the ports of the process before this one.
            grpc_port = self._parent.grpc_port or settings.grpc_port
            settings = msgspec.structs.replace(settings, port=self._parent.port, grpc_port=grpc_port)
            wait_s = _BIND_WAIT_S
        async with serve_clients(core, settings, clients=clients, wait_s=wait_s, repository=repository) as server:
            self._server = server
            self._parent.marks.tell_ready(server.port, grpc_port=server.grpc_port)
            # In a thread: a model without golden inputs is asked for what it answers, while clients come already.
            words = partial(self._announce, core, loaded, server)
            await anyio.to_thread.run_sync(words, abandon_on_cancel=True)
            await self._stop.wait()
            server.begin_stop()
            await server.finish(within_s=settings.drain_s)

    def _complain(self, loaded: Loaded) -> None:
        """Name what is not served. Raises: InvalidPackage: that is everything, and not for having been served."""
        for line in serve_words.not_served(loaded.unusable):
            self._voice.note(line)
        for setting, models in (("serve.batching", self._settings.batching), ("serve.split", self._settings.split)):
            for line in serve_words.unmatched(setting, models, loaded.sources):
                self._voice.note(line)
        for line in serve_words.unmatched_versions(self._settings.split, loaded.sources):
            self._voice.note(line)
        if not loaded.sources and not self._parent.quarantined:
            raise InvalidPackage(f"nothing in {self._path} can be served")

    def _give_up(self, loop: asyncio.AbstractEventLoop, running: Running, done: Callable[[], None]) -> None:
        """Have everybody who waits told that a model does not come back. Called in the thread of the watch."""
        call_give_up(loop, lambda: self._server, hung(running, self._settings.run_s_max), done)

    def _announce(self, core: ServingCore, loaded: Loaded, server: Edges) -> None:
        base = serve_words.base_url(server.host, server.port)
        if self._parent.port:
            self._voice.note(f"serving again at {base}")
            return
        packages = {each: core.serving.table.loaded(each.name, each.version).package for each in loaded.sources}
        easiest = min(packages, key=lambda each: serve_words.input_size(packages[each].pipeline.manifest))
        for line in serve_words.served(loaded.sources, base, self._settings.split):
            self._voice.say(line)
        if self._settings.uds:
            self._voice.say(f"  and on the Unix socket {uds_of(self._settings.uds)}")
        for line in serve_words.by_grpc(server.host, server.grpc_port, server.grpc_uds):
            self._voice.say(line)
        for line in serve_words.by_tls(self._settings.tls.host, server.tls_port, server.tls_grpc_port):
            self._voice.say(line)
        self._voice.say("Try it:")
        self._voice.say(f"  {serve_words.first_request(easiest, packages[easiest], base)}")

    @contextmanager
    def _records(self) -> Iterator[JournalSink]:
        if self._journal is None:
            yield NoJournal()
            return
        writer = JournalWriter(self._journal, JournalLimits(total_bytes_max=self._settings.journal_bytes_max))
        if writer.trouble is not None:
            self._voice.note(f"{writer.trouble.message}; they are counted and dropped until it does")
        try:
            yield writer
        finally:
            writer.close()

    async def _await_parent(self, scope: anyio.CancelScope) -> None:
        """End as by a signal when the supervisor is gone."""
        await wait_for_end_of_parent()
        self._end(scope)

    async def _await_signals(self, scope: anyio.CancelScope) -> None:
        """The first signal lets requests under way end; a second one, or one while models load, ends everything."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                self._end(scope)

    def _end(self, scope: anyio.CancelScope) -> None:
        if self._stop.is_set() or self._server is None:
            scope.cancel()
        self._stop.set()
