"""`ganglion serve`: the serving core and its HTTP server around the models of one path. No hub, no agent, no state."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from ganglion.adapters.journal import JournalLimits, JournalWriter
from ganglion.core.errors import GanglionError, InvalidPackage
from ganglion.entrypoints import serve_words
from ganglion.entrypoints.cores import threads_of
from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.entrypoints.inference_api.repository import Repository, RepositoryTasks
from ganglion.entrypoints.inference_api.server import Address, serve_http, uds_of
from ganglion.entrypoints.no_journal import NoJournal
from ganglion.entrypoints.serve_settings import ServeSettings
from ganglion.entrypoints.served_models import Loaded, ServedModels
from ganglion.entrypoints.serving_core import ServingCore, serving_core, settle_memory
from ganglion.entrypoints.source_opener import SourceOpener
from ganglion.ports.journal import JournalSink
from ganglion.wire.messages import CollectionSettings

_RESULTS_ONLY = CollectionSettings(confidence_below=0.0, random_share=0.0, bytes_per_hour=0)
"""Nobody asked for samples: what clients send stays in memory."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How the process speaks to the person who started it: `say` what was asked for, `note` everything else."""

    say: Callable[[str], None]
    note: Callable[[str], None]


def run_serve(path: Path, settings: ServeSettings, voice: Voice, *, journal: Path | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; records go into the directory `journal`, if there is one.

    Raises: NotFound, InvalidPackage: nothing can be served. PortInUse, InvalidSettings, DataInUse, DiskUnusable.
    """
    anyio.run(ServeProcess(path, settings, voice, journal=journal).run, backend_options={"use_uvloop": True})


class ServeProcess:
    """One run of `ganglion serve`."""

    def __init__(self, path: Path, settings: ServeSettings, voice: Voice, *, journal: Path | None) -> None:
        self._path, self._settings, self._voice, self._journal = path, settings, voice, journal
        self._stop = anyio.Event()
        self._is_listening = False

    async def run(self) -> None:
        """Load, listen, and end cleanly."""
        failure: GanglionError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._await_signals, tasks.cancel_scope)
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
        with tempfile.TemporaryDirectory(prefix="ganglion-") as scratch, self._records() as records:
            opener = SourceOpener(
                scratch=Path(scratch),
                threads=threads_of(settings.threads),
                batch_max=settings.batch_max,
                gate=settings.model_files,
            )
            with serving_core(
                open_package=opener.open,
                journal=records,
                collection=_RESULTS_ONLY,
                queue_len_max=settings.queue_len_max,
            ) as core:
                models = ServedModels(self._path, commands=core.commands, opener=opener)
                loaded = await models.load_all()
                self._complain(loaded)
                settle_memory()
                repository = RepositoryTasks(tasks, load=models.load, unload=models.unload)
                await self._listen(core, loaded, repository)

    async def _listen(self, core: ServingCore, loaded: Loaded, repository: Repository) -> None:
        settings = self._settings
        address = Address(settings.host, settings.port, uds=uds_of(settings.uds))
        limits = HttpLimits(body_bytes_max=settings.body_bytes_max)
        application = partial(core.application, repository=repository)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve_http(address, limits, application))
            self._is_listening = True
            # In a thread: a model without golden inputs is asked for what it answers, while clients come already.
            words = partial(self._announce, core, loaded, serve_words.base_url(server.host, server.port))
            await anyio.to_thread.run_sync(words, abandon_on_cancel=True)
            await self._stop.wait()
            server.begin_stop()
            await server.finish(within_s=settings.drain_s)

    def _complain(self, loaded: Loaded) -> None:
        """Name what is not served. Raises: InvalidPackage: that is everything."""
        for line in serve_words.not_served(loaded.unusable):
            self._voice.note(line)
        if not loaded.sources:
            raise InvalidPackage(f"nothing in {self._path} can be served")

    def _announce(self, core: ServingCore, loaded: Loaded, base: str) -> None:
        packages = {each: core.serving.table.loaded(each.name, each.version).package for each in loaded.sources}
        easiest = min(packages, key=lambda each: serve_words.input_size(packages[each].pipeline.manifest))
        for line in serve_words.served(loaded.sources, base):
            self._voice.say(line)
        if self._settings.uds:
            self._voice.say(f"  and on the Unix socket {uds_of(self._settings.uds)}")
        self._voice.say("Try it:")
        self._voice.say(f"  {serve_words.first_request(easiest, packages[easiest], base)}")

    @contextmanager
    def _records(self) -> Iterator[JournalSink]:
        if self._journal is None:
            yield NoJournal()
            return
        writer = JournalWriter(self._journal, JournalLimits(total_bytes_max=self._settings.journal_bytes_max))
        try:
            yield writer
        finally:
            writer.close()

    async def _await_signals(self, scope: anyio.CancelScope) -> None:
        """The first signal lets requests under way end; a second one, or one while models load, ends everything."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                if self._stop.is_set() or not self._is_listening:
                    scope.cancel()
                self._stop.set()
