"""The serving process: wiring, start and end. What it serves, the agent decides.

    python -m ganglion.entrypoints.serving_process --data DIR --host H --port P

It starts from `active.json`, answers whether or not anybody else is alive, and goes when its supervisor is gone.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio
import anyio.abc
import msgspec
import structlog

from ganglion.adapters.control_socket import serve_control, socket_path
from ganglion.adapters.files import replace_file
from ganglion.adapters.journal import JournalLimits, JournalWriter
from ganglion.adapters.onnxruntime import OnnxRuntime
from ganglion.adapters.package_files import read_golden, read_manifest
from ganglion.adapters.system import SystemChance, SystemClock, node_facts
from ganglion.core.errors import DiskUnusable, GanglionError, InvalidRequest
from ganglion.core.pipeline import Pipeline
from ganglion.entrypoints.inference_api.connection import Shared
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.entrypoints.inference_api.server import Address, InferenceServer, serve_http
from ganglion.entrypoints.logs import configure_logs
from ganglion.entrypoints.node_settings import NodeSettings, ServingSettings
from ganglion.entrypoints.parent_pipe import wait_for_end_of_parent
from ganglion.entrypoints.settings import load_settings
from ganglion.node.services.places import Places
from ganglion.node.services.serving import InferLimits, Serving
from ganglion.node.services.serving_commands import ServingCommands
from ganglion.node.services.serving_lane import ThreadLane
from ganglion.node.services.serving_records import Recorder
from ganglion.node.services.serving_runs import Package
from ganglion.node.services.serving_versions import ServingTable
from ganglion.ports.clock import new_id
from ganglion.ports.serving_control import ActiveModels, Load, Refused, Switch
from ganglion.wire.codec import decode_json, encode_json
from ganglion.wire.problems import exit_code_of

log = structlog.get_logger()

_DRAIN_S = 5.0
"""How long requests under way may take when the process is asked to end."""
_GC_THRESHOLDS = (50_000, 50, 1000)
"""A full collection costs milliseconds; what lives long was frozen, and records leave as bytes."""


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
        self._clock, self._chance = SystemClock(), SystemChance()
        self._instance = new_id(self._chance)
        self._table = ServingTable()
        self._stop = anyio.Event()

    async def run(self) -> None:
        """Load what is committed, listen, and end cleanly. Raises: PortInUse, InvalidSettings, DataInUse."""
        journal = JournalWriter(self._places.journal, JournalLimits(total_bytes_max=self._settings.journal_bytes_max))
        lane = ThreadLane(asyncio.get_running_loop(), queue_len_max=self._settings.queue_len_max)
        try:
            await self._run(journal, lane)
        finally:
            lane.close()
            journal.close()

    async def _run(self, journal: JournalWriter, lane: ThreadLane) -> None:
        active = _read_active(self._places.active)
        recorder = Recorder(journal=journal, clock=self._clock, chance=self._chance, collection=active.collection)
        commands = ServingCommands(
            table=self._table,
            recorder=recorder,
            open_package=partial(open_package, threads=_threads(self._settings)),
            clock=self._clock,
            instance=self._instance,
        )
        serving = Serving(
            table=self._table,
            lane=lane,
            recorder=recorder,
            clock=self._clock,
            chance=self._chance,
            limits=InferLimits(),
        )
        failure: GanglionError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._await_signal)
            tasks.start_soon(self._await_parent)
            try:
                await self._load(active, commands)
                await self._listen(serving, commands)
            except GanglionError as error:
                failure = error
            tasks.cancel_scope.cancel()
        # Raised here, because a task group would wrap it.
        if failure is not None:
            raise failure

    async def _load(self, active: ActiveModels, commands: ServingCommands) -> None:
        """Load the committed versions; one that fails leaves its model not ready and the others serving."""
        for name, model in active.models.items():
            self._table.expect(name)
            for command in (Load(name, model.version, model.path), Switch(name, model.version)):
                if isinstance(await commands.answer(command), Refused):
                    break
        _settle_memory()

    async def _listen(self, serving: Serving, commands: ServingCommands) -> None:
        address = Address(self._settings.host, self._settings.port, self._bind_wait_s)
        limits = HttpLimits(body_bytes_max=self._settings.body_bytes_max)

        def application(shared: Shared) -> InferenceApplication:
            return InferenceApplication(serving, release=version("ganglion"), is_stopping=lambda: shared.is_stopping)

        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve_http(address, limits, application))
            log.info("serving.started", host=server.host, port=server.port, models=sorted(self._table.models))
            try:
                await stack.enter_async_context(serve_control(socket_path(self._places.data), commands.answer))
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
    """Check an unpacked package and load its model. Raises: NotFound, InvalidPackage."""
    manifest = read_manifest(directory)
    engine = OnnxRuntime().load(directory / manifest.model, threads=threads)
    return Package(Pipeline(manifest, engine.infer), golden=partial(read_golden, directory, manifest))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving", description="Serve the committed models of a node.")
    parser.add_argument("--data", help="data directory of the node")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--bind-wait-s", type=float, default=0.0, help="how long a taken port may become free")
    return parser.parse_args(arguments)


def _threads(settings: ServingSettings) -> int:
    if settings.threads:
        return settings.threads
    return max(1, node_facts(runtime=OnnxRuntime.name, release=version("ganglion")).cores - 1)


def _read_active(file: Path) -> ActiveModels:
    try:
        return decode_json(file.read_bytes(), ActiveModels)
    except FileNotFoundError:
        return ActiveModels()
    except (OSError, InvalidRequest) as error:
        # The agent knows what was committed and loads it again; meanwhile the process must be there to ask.
        log.error("active_models.unreadable", file=str(file), reason=str(error))  # noqa: TRY400 - expected after damage
        return ActiveModels()


def _settle_memory() -> None:
    """Take everything loaded so far out of the collector's sight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


if __name__ == "__main__":
    main()
