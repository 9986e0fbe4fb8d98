"""The parts between a listening server and loaded models, put together in one place for every process that serves."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.batching_rules import BatchingRules
from ganglion.entrypoints.client_access.guard import Guard
from ganglion.entrypoints.inference_api.connection import Shared
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.repository import Repository
from ganglion.node.services.serving.answers import InferLimits, Serving
from ganglion.node.services.serving.commands import LOAD_LIMITS, NO_RULES, LoadLimits, ServingCommands
from ganglion.node.services.serving.lane import ThreadLane
from ganglion.node.services.serving.looks import InputLooks
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import OpenPackage
from ganglion.node.services.serving.versions import ServingTable
from ganglion.ports.journal import JournalSink
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.known_types import learn_types

_GC_THRESHOLDS = (50_000, 50, 1000)
"""A full collection costs milliseconds; what lives long was frozen, and records leave as bytes."""


@dataclass(frozen=True, slots=True)
class ServingCore:
    """Answers requests, and carries out commands about models."""

    serving: Serving
    commands: ServingCommands
    is_shell_open: Callable[[], bool] = bool
    """Whether a person has a shell on this machine."""

    def application(
        self,
        shared: Shared,
        *,
        repository: Repository | None = None,
        regions: SharedRegions | None = None,
        guard: Guard | None = None,
    ) -> InferenceApplication:
        """Return the HTTP application of a server. With a `repository`, clients may load and unload models.

        `regions` are given by whoever shares them with another edge; the `guard` judges requests from other machines.
        """
        return InferenceApplication(
            self.serving,
            release=installed_release,
            is_stopping=lambda: shared.is_stopping,
            repository=repository,
            regions=regions,
            guard=guard,
            is_shell_open=self.is_shell_open,
        )


@contextmanager
def serving_core(
    *,
    open_package: OpenPackage,
    journal: JournalSink,
    collection: CollectionSettings,
    queue_len_max: int,
    instance: str = "",
    batching: Mapping[str, BatchingRules] = NO_RULES,
    limits: LoadLimits = LOAD_LIMITS,
    is_shell_open: Callable[[], bool] = bool,
) -> Iterator[ServingCore]:
    """Put the core together, on the running event loop. `instance` names this run of the process to an agent."""
    learn_types()
    clock, chance, table = SystemClock(), SystemChance(), ServingTable()
    lane = ThreadLane(asyncio.get_running_loop(), queue_len_max=queue_len_max)
    recorder = Recorder(journal=journal, clock=clock, chance=chance, collection=collection)
    commands = ServingCommands(
        table=table,
        recorder=recorder,
        open_package=open_package,
        clock=clock,
        instance=instance,
        batching=batching,
        limits=limits,
    )
    # One look at a time, in a thread that no request waits for.
    aside = ThreadLane(asyncio.get_running_loop(), queue_len_max=1)
    serving = Serving(
        table=table,
        lane=lane,
        recorder=recorder,
        clock=clock,
        chance=chance,
        limits=InferLimits(),
        looks=InputLooks(lane=aside, recorder=recorder, clock=clock),
    )
    try:
        yield ServingCore(serving, commands, is_shell_open)
    finally:
        lane.close()
        aside.close()


def installed_release() -> str:
    """Return the number of the installed release."""
    from importlib.metadata import version  # noqa: PLC0415 - it brings a parser of mails along, and few ask for this

    return version("ganglion")


def settle_memory() -> None:
    """Take everything loaded so far out of the collector's sight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
