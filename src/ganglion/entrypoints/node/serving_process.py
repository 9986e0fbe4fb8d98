"""The serving process: wiring, start and end. What it serves, the agent decides.

    python -m ganglion.entrypoints.node.serving_process --data DIR --host H --port P

It starts from `active.json`, answers whether or not anybody else is alive, and goes when its supervisor is gone.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio
import anyio.abc
import msgspec
import structlog

from ganglion.adapters.control_socket import serve_control, socket_path
from ganglion.adapters.files import replace_file
from ganglion.adapters.journal import JournalLimits, JournalWriter
from ganglion.adapters.memory_limit import limit_memory, share_of_machine
from ganglion.adapters.package_files import read_golden, read_manifest
from ganglion.adapters.run_marks import Label, RunMarks, Running
from ganglion.adapters.system import SystemChance
from ganglion.core.errors import DiskUnusable, GanglionError, InvalidRequest
from ganglion.entrypoints.models import engines
from ganglion.entrypoints.models.cores import threads_of
from ganglion.entrypoints.node.logs import keep_logs
from ganglion.entrypoints.processes.logs import configure_logs
from ganglion.entrypoints.processes.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.serving.core import ServingCore, serving_core, settle_memory
from ganglion.entrypoints.serving.edges import Edges, serve_clients
from ganglion.entrypoints.serving.hang_watch import HangWatch, call_give_up, hung
from ganglion.entrypoints.serving.marked_models import MarkedModels
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.entrypoints.settings.tree import load_settings
from ganglion.node.services.places import Places
from ganglion.node.services.serving.runs import Package
from ganglion.ports.clock import new_id
from ganglion.ports.serving_control import ActiveModel, ActiveModels, Load, Refused, Switch
from ganglion.wire.codec import decode_json, encode_json
from ganglion.wire.problems import exit_code_of

log = structlog.get_logger()

_DRAIN_S = 5.0
"""How long requests under way may take when the process is asked to end."""


class ServingAddress(msgspec.Struct, frozen=True):
    """The contents of `run/serving.json`: who serves, and where."""

    host: str
    port: int
    pid: int
    instance: str
    grpc_port: int = 0
    """0: gRPC has no port."""
    tls_port: int = 0
    """0: HTTP is spoken without TLS alone."""
    tls_grpc_port: int = 0
    """0: gRPC is spoken without TLS alone."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    configure_logs("serving")
    options = _parse(arguments)
    overrides = {
        "node.data_dir": options.data,
        "node.serving.host": options.host,
        "node.serving.port": options.port,
        "node.serving.uds": options.uds,
        "node.serving.grpc_port": options.grpc_port,
        "node.serving.grpc_uds": options.grpc_uds,
    }
    try:
        settings = load_settings(overrides=overrides).node
        keep_logs(settings, "serving")
        marks = RunMarks.create() if options.marks is None else RunMarks(options.marks)
        limit_memory(settings.serving.memory_bytes_max or share_of_machine())
        quarantined = [Label.parse(text) for text in options.quarantined]
        process = ServingProcess(settings, marks, quarantined=quarantined, bind_wait_s=options.bind_wait_s)
        anyio.run(process.run, backend_options={"use_uvloop": True})
        code = 0
    except GanglionError as error:
        log.error("serving.ended", code=error.code, reason=error.message, remedy=error.remedy)  # noqa: TRY400 - ours
        code = exit_code_of(error)
    sys.stderr.flush()
    # A model that hangs in its thread would hold the interpreter for ever; everything durable is written by now.
    os._exit(code)


class ServingProcess:
    """Everything a serving process is made of."""

    def __init__(
        self, settings: NodeSettings, marks: RunMarks, *, quarantined: Sequence[Label] = (), bind_wait_s: float = 0.0
    ) -> None:
        self._marks, self._models = marks, MarkedModels(marks, quarantined)
        self._settings, self._places = settings.serving, Places(settings.data_path)
        self._bind_wait_s = bind_wait_s
        self._instance = new_id(SystemChance())
        self._stop = anyio.Event()
        self._server: Edges | None = None

    async def run(self) -> None:
        """Load what is committed, listen, and end cleanly. Raises: PortInUse, InvalidSettings, DataInUse."""
        journal = JournalWriter(self._places.journal, JournalLimits(total_bytes_max=self._settings.journal_bytes_max))
        active = _read_active(self._places.active)
        give_up = partial(self._give_up, asyncio.get_running_loop())
        HangWatch(self._marks, run_s_max=self._settings.run_s_max, answer=give_up).start()
        try:
            with serving_core(
                open_package=partial(open_package, self._models, threads=threads_of(self._settings.threads)),
                journal=journal,
                collection=active.collection,
                queue_len_max=self._settings.queue_len_max,
                instance=self._instance,
                batching=self._settings.batching,
                is_shell_open=self._places.shell_notice.exists,
            ) as core:
                await self._run(active, core)
        finally:
            journal.close()

    async def _run(self, active: ActiveModels, core: ServingCore) -> None:
        failure: GanglionError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._await_signal)
            tasks.start_soon(self._await_parent)
            try:
                await self._load(active, core)
                await self._listen(core)
            except GanglionError as error:
                failure = error
            tasks.cancel_scope.cancel()
        # Raised here, because a task group would wrap it.
        if failure is not None:
            raise failure

    async def _load(self, active: ActiveModels, core: ServingCore) -> None:
        """Load the committed versions, or the one before; where both fail the model is not ready, and others serve."""
        for name, model in active.models.items():
            core.serving.table.expect(name)
            if not await _serve(core, name, model) and model.spare is not None:
                log.warning("serving.spare_taken", model=name, version=model.spare.version, instead_of=model.version)
                await _serve(core, name, model.spare)
        settle_memory()

    async def _listen(self, core: ServingCore) -> None:
        async with AsyncExitStack() as stack:
            clients = serve_clients(core, self._settings, clients=self._places.clients, wait_s=self._bind_wait_s)
            server = await stack.enter_async_context(clients)
            self._server = server
            self._marks.tell_ready(server.port, grpc_port=server.grpc_port)
            log.info(
                "serving.started",
                host=server.host,
                port=server.port,
                grpc_port=server.grpc_port,
                tls_port=server.tls_port,
                tls_grpc_port=server.tls_grpc_port,
                models=sorted(core.serving.table.models),
            )
            try:
                await stack.enter_async_context(serve_control(socket_path(self._places.data), core.commands.answer))
                self._publish(server)
            except (DiskUnusable, OSError) as error:
                # Clients matter more than the agent: what is committed is served from a broken disk, too.
                log.error("control.unavailable", reason=str(error))  # noqa: TRY400 - an expected state of a disk
            await self._stop.wait()
            server.begin_stop()
            is_clean = await server.finish(within_s=_DRAIN_S)
        log.info("serving.stopped", is_drained=is_clean)

    def _give_up(self, loop: asyncio.AbstractEventLoop, running: Running, done: Callable[[], None]) -> None:
        """Have everybody who waits told that a model does not come back. Called in the thread of the watch."""
        call_give_up(loop, lambda: self._server, hung(running, self._settings.run_s_max), done)

    def _publish(self, server: Edges) -> None:
        ports = {"grpc_port": server.grpc_port, "tls_port": server.tls_port, "tls_grpc_port": server.tls_grpc_port}
        address = ServingAddress(server.host, server.port, os.getpid(), self._instance, **ports)
        file = self._places.data / "run" / "serving.json"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(file, encode_json(address))

    async def _await_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                self._stop.set()

    async def _await_parent(self) -> None:
        try:
            await wait_for_end_of_parent()
        except PermissionError:
            return  # Standard input is a file or /dev/null: nobody holds a pipe to this process.
        self._stop.set()


async def _serve(core: ServingCore, name: str, model: ActiveModel) -> bool:
    for command in (Load(name, model.version, model.path), Switch(name, model.version)):
        if isinstance(await core.commands.answer(command), Refused):
            return False
    return True


def open_package(models: MarkedModels, directory: Path, *, threads: int) -> Package:
    """Check an unpacked package and load its model.

    Raises: NotFound, InvalidPackage, TargetMismatch, MissingExtra, ModelQuarantined.
    """
    manifest = read_manifest(directory)
    # What a version holds never changes on a node.
    label = Label(manifest.name, manifest.version)
    with models.loading(label):
        engine = engines.load_engine(manifest.target, directory / manifest.model, threads=threads)
    return models.package(label, manifest, engine, partial(read_golden, directory, manifest))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving", description="Serve the committed models of a node.")
    parser.add_argument("--data", help="data directory of the node")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--uds", help="Unix socket to listen on as well")
    parser.add_argument("--grpc-port", type=int, help="port of gRPC; 0 takes a free one")
    parser.add_argument("--grpc-uds", help="Unix socket of gRPC")
    parser.add_argument("--marks", type=int, help="descriptor of the marks that the supervisor reads")
    parser.add_argument("--quarantined", action="append", default=[], help="label of a version not to load")
    parser.add_argument("--bind-wait-s", type=float, default=0.0, help="how long a taken port may become free")
    return parser.parse_args(arguments)


def _read_active(file: Path) -> ActiveModels:
    try:
        return decode_json(file.read_bytes(), ActiveModels)
    except FileNotFoundError:
        return ActiveModels()
    except (OSError, InvalidRequest) as error:
        # The agent knows what was committed and loads it again; meanwhile the process must be there to ask.
        log.error("active_models.unreadable", file=str(file), reason=str(error))  # noqa: TRY400 - expected after damage
        return ActiveModels()


if __name__ == "__main__":
    main()
