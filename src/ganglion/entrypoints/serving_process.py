"""The serving process: wiring, start and end. What it serves, the agent decides.

    python -m ganglion.entrypoints.serving_process --data DIR --host H --port P

It starts from `active.json`, answers whether or not anybody else is alive, and goes when its supervisor is gone.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
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
from ganglion.adapters.package_files import read_golden, read_manifest
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import DiskUnusable, GanglionError, InvalidRequest
from ganglion.entrypoints import engines
from ganglion.entrypoints.cores import threads_of
from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.entrypoints.inference_api.server import Address, InferenceServer, serve_http, uds_of
from ganglion.entrypoints.logs import configure_logs
from ganglion.entrypoints.node_settings import NodeSettings
from ganglion.entrypoints.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.serving_core import ServingCore, serving_core, settle_memory
from ganglion.entrypoints.settings import load_settings
from ganglion.node.services.places import Places
from ganglion.node.services.serving_runs import Package, timed_package
from ganglion.ports.clock import new_id
from ganglion.ports.serving_control import ActiveModels, Load, Refused, Switch
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, or until the supervisor is gone."""
    configure_logs("serving")
    options = _parse(arguments)
    overrides = {
        "node.data_dir": options.data,
        "node.serving.host": options.host,
        "node.serving.port": options.port,
        "node.serving.uds": options.uds,
    }
    try:
        settings = load_settings(overrides=overrides).node
        anyio.run(ServingProcess(settings, bind_wait_s=options.bind_wait_s).run, backend_options={"use_uvloop": True})
        code = 0
    except GanglionError as error:
        log.error("serving.ended", code=error.code, reason=error.message, remedy=error.remedy)  # noqa: TRY400 - ours
        code = exit_code_of(error)
    sys.stderr.flush()
    # A model that hangs in its thread would hold the interpreter for ever; everything durable is written by now.
    os._exit(code)


class ServingProcess:
    """Everything a serving process is made of."""

    def __init__(self, settings: NodeSettings, *, bind_wait_s: float = 0.0) -> None:
        self._settings, self._places = settings.serving, Places(settings.data_path)
        self._bind_wait_s = bind_wait_s
        self._instance = new_id(SystemChance())
        self._stop = anyio.Event()

    async def run(self) -> None:
        """Load what is committed, listen, and end cleanly. Raises: PortInUse, InvalidSettings, DataInUse."""
        journal = JournalWriter(self._places.journal, JournalLimits(total_bytes_max=self._settings.journal_bytes_max))
        active = _read_active(self._places.active)
        try:
            with serving_core(
                open_package=partial(open_package, threads=threads_of(self._settings.threads)),
                journal=journal,
                collection=active.collection,
                queue_len_max=self._settings.queue_len_max,
                instance=self._instance,
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
        """Load the committed versions; one that fails leaves its model not ready and the others serving."""
        for name, model in active.models.items():
            core.serving.table.expect(name)
            for command in (Load(name, model.version, model.path), Switch(name, model.version)):
                if isinstance(await core.commands.answer(command), Refused):
                    break
        settle_memory()

    async def _listen(self, core: ServingCore) -> None:
        address = Address(self._settings.host, self._settings.port, self._bind_wait_s, uds_of(self._settings.uds))
        limits = HttpLimits(body_bytes_max=self._settings.body_bytes_max)

        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve_http(address, limits, core.application))
            log.info("serving.started", host=server.host, port=server.port, models=sorted(core.serving.table.models))
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

    def _publish(self, server: InferenceServer) -> None:
        address = ServingAddress(host=server.host, port=server.port, pid=os.getpid(), instance=self._instance)
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


def open_package(directory: Path, *, threads: int) -> Package:
    """Check an unpacked package and load its model. Raises: NotFound, InvalidPackage, TargetMismatch, MissingExtra."""
    manifest = read_manifest(directory)
    engine = engines.load_engine(manifest.target, directory / manifest.model, threads=threads)
    golden = partial(read_golden, directory, manifest)
    open_sequence = engine.open_sequence if engine.is_stateful else None
    return timed_package(manifest, engine.infer, golden, SystemClock(), open_sequence=open_sequence)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving", description="Serve the committed models of a node.")
    parser.add_argument("--data", help="data directory of the node")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--uds", help="Unix socket to listen on as well")
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
