"""Carries out what the agent asks of serving: load, prove, switch, unload, collect, status."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar, assert_never

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core import golden
from ganglion.core.batching_rules import EVERY_MODEL, BatchingRules
from ganglion.core.errors import Conflict, GanglionError, InvalidPackage
from ganglion.core.golden import GoldenResult
from ganglion.core.manifest import Manifest
from ganglion.core.serving_errors import ModelQuarantined
from ganglion.node.services.serving.batch_runs import BatchPlan, plan_batches
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import OpenPackage, Package, warm_up
from ganglion.node.services.serving.versions import LoadedVersion, ServingTable
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import (
    Collect,
    Command,
    Done,
    Load,
    Proof,
    Prove,
    Refused,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)

T = TypeVar("T")

log = structlog.get_logger()

NO_RULES: Mapping[str, BatchingRules] = {}


class LoadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be in memory at a time."""

    versions_max: int = 32
    """Loaded versions of all models together."""
    drain_s: float = 30.0
    """How long an unloaded version may finish its requests; after that it goes with the last of them."""


LOAD_LIMITS = LoadLimits()


class ServingCommands:
    """The agent's hand in the serving process. Loading runs in a thread beside the requests, one at a time."""

    def __init__(
        self,
        *,
        table: ServingTable,
        recorder: Recorder,
        open_package: OpenPackage,
        clock: Clock,
        instance: str,
        batching: Mapping[str, BatchingRules] = NO_RULES,
        limits: LoadLimits = LOAD_LIMITS,
    ) -> None:
        self._table, self._recorder, self._open_package = table, recorder, open_package
        self._clock, self._instance, self._batching = clock, instance, batching
        self._limits = limits
        self._loading = anyio.Lock()

    async def answer(self, command: Command) -> Reply:
        """Carry out one command; an error becomes a refusal."""
        try:
            return await self._carry_out(command)
        except GanglionError as error:
            log.warning("command.refused", command=type(command).__name__, code=error.code, reason=error.message)
            return Refused(code=error.code, message=error.message)

    async def _carry_out(self, command: Command) -> Reply:
        match command:
            case Load(model=model, version=version, path=path):
                await self._load_beside(model, version, Path(path))
            case Prove(model=model, version=version):
                return await self._prove(self._table.loaded(model, version))
            case Switch():
                self._switch(command)
            case Unload(model=model, version=version):
                removed = self._table.remove(model, version)
                if removed is not None:
                    await self._drain(model, removed)
            case Collect(settings=settings, requested=requested):
                self._recorder.collect(settings)
                if requested:
                    self._recorder.request(requested)
            case Status():
                return ServingStatus(instance=self._instance, models=self._table.report())
            case _:
                assert_never(command)
        return Done()

    async def _load_beside(self, model: str, version: str, path: Path) -> None:
        """Load and warm a version beside what is there.

        Raises: InvalidPackage, NotFound, Conflict, ModelQuarantined, MissingExtra, TargetMismatch.
        """
        async with self._loading:
            served = self._table.expect(model)
            present = served.versions.get(version)
            if present is not None and present.path == path:
                return
            try:
                self._check_room()
                loaded = await _in_thread(partial(self._load, model, version, path))
            except ModelQuarantined as error:
                served.withheld[version] = error.message
                raise
            except GanglionError as error:
                served.refused = error.message
                raise
            replaced = self._table.add(model, loaded)
        log.info("version.loaded", model=model, version=version)
        if replaced is not None:
            await self._drain(model, replaced)

    def _check_room(self) -> None:
        """Raises: Conflict: too much is in memory already."""
        if self._table.count_versions() >= self._limits.versions_max:
            raise Conflict(
                f"{self._limits.versions_max} versions are loaded, and versions_max allows no more: unload one"
            )

    def _load(self, model: str, version: str, path: Path) -> LoadedVersion:
        try:
            return self._opened(model, version, path)
        except GanglionError:
            raise
        except Exception as error:
            # A file that nobody foresaw must cost itself alone, and not the models beside it.
            log.exception("version.unloadable", model=model, version=version)
            raise InvalidPackage(f"it cannot be loaded: {type(error).__name__}: {error}") from error

    def _opened(self, model: str, version: str, path: Path) -> LoadedVersion:
        package = self._open_package(path)
        manifest = package.pipeline.manifest
        if (manifest.name, manifest.version) != (model, version):
            raise InvalidPackage(f"{path} holds {manifest.name}:{manifest.version}, not {model}:{version}")
        element_us = warm_up(package, self._clock)
        plan = self._plan_batches(package, manifest)
        return LoadedVersion(version, path, package, element_us=element_us, batching=plan)

    def _plan_batches(self, package: Package, manifest: Manifest) -> BatchPlan | None:
        advised = BatchingRules() if manifest.batching is msgspec.UNSET else manifest.batching
        rules = self._batching.get(manifest.name) or self._batching.get(EVERY_MODEL) or advised
        if not rules.is_on:
            return None
        plan = plan_batches(package, rules, self._clock)
        if plan is None:
            log.warning("batching.impossible", model=manifest.name, version=manifest.version)
        return plan

    async def _prove(self, version: LoadedVersion) -> Proof:
        result = await _in_thread(partial(_prove, version.package))
        return Proof(passed=result.passed, deviation_max=result.deviation_max, reason=result.reason)

    def _switch(self, command: Switch) -> None:
        self._table.switch(
            command.model,
            command.version,
            compare_with=command.compare_with,
            compare_share=command.compare_share,
            beside=command.beside,
            weights=command.weights,
        )
        log.info(
            "version.switched",
            model=command.model,
            version=command.version,
            compare_with=command.compare_with,
            beside=command.beside,
            weights=command.weights,
        )

    async def _drain(self, model: str, version: LoadedVersion) -> None:
        with anyio.move_on_after(self._limits.drain_s) as scope:
            await version.idle()
        log.info("version.unloaded", model=model, version=version.name, is_drained=not scope.cancelled_caught)


def _prove(package: Package) -> GoldenResult:
    inputs, expected = package.golden()
    return golden.prove(package.pipeline, inputs, expected)


async def _in_thread(work: "partial[T]") -> T:
    # Abandoned when the process stops: nobody waits for a model that never gets warm.
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
