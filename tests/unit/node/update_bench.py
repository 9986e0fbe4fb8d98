"""The workbench of the update shell: a fake link, a fake serving process and a store in memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DiskUnusable
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
from ganglion.node.domain.update.table import Update, UpdateEffect, UpdateEvent
from ganglion.node.services.places import Places
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.effects import Outcome, can_shadow
from ganglion.node.services.update.held_trials import split
from ganglion.node.services.update.install_times import InstallTimes
from ganglion.node.services.update.updates import Updates
from ganglion.ports.agent_store import JournalPosition, NewRecord, OutboxFigures
from ganglion.ports.serving_control import (
    ActiveModels,
    Collect,
    Command,
    Done,
    Load,
    ModelServing,
    Refused,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import Assignment, UpdateState
from ganglion.wire.records import Envelope, EventRecord, RecordClass
from unit.node.builders import an_installed

EVENT_OF = {
    UpdateEffect.PRECHECK: UpdateEvent.PRECHECKED,
    UpdateEffect.TRUST: UpdateEvent.TRUSTED,
    UpdateEffect.DOWNLOAD: UpdateEvent.DOWNLOADED,
    UpdateEffect.LOAD: UpdateEvent.LOADED,
    UpdateEffect.PROVE: UpdateEvent.PROVED,
    UpdateEffect.SWITCH: UpdateEvent.SWITCHED,
    UpdateEffect.LISTEN: UpdateEvent.SWITCHED,
}


class StoreInMemory:
    """Keeps what was saved, and what a restart would find."""

    def __init__(self) -> None:
        self.saved: bytes | None = None
        self.events: list[EventRecord] = []
        self.links: list[bytes] = []

    def state(self) -> bytes | None:
        return self.saved

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        self.saved = state
        told = [record.payload for record in records if record.record_class is RecordClass.EVENT]
        self.events += [msgspec.msgpack.decode(payload, type=EventRecord) for payload in told]
        self.links += [record.payload for record in records if record.record_class is RecordClass.AUDIT]

    def journal_position(self) -> JournalPosition:
        return JournalPosition()

    def take_journal(
        self,
        records: Sequence[NewRecord],
        position: JournalPosition,
        *,
        shed: Mapping[str, int] | None = None,
        open_minutes: bytes = b"",
    ) -> None:
        raise AssertionError("not used here")

    def open_minutes(self) -> bytes | None:
        return None

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        return []

    def acknowledge(self, cursor: int) -> None:
        raise AssertionError("not used here")

    def spent(self) -> bytes | None:
        return None

    def keep_spent(self, account: bytes) -> None:
        raise AssertionError("not used here")

    def give_up(self, seq: int, reason: str, told: NewRecord) -> None:
        raise AssertionError("not used here")

    def figures(self) -> OutboxFigures:
        return OutboxFigures(epoch="e", made=0, sent=0, waiting=0, waiting_bytes=0)

    def renew_epoch(self) -> None:
        raise AssertionError("not used here")


class FakeServing:
    """A serving process that does what it is told, and can die."""

    def __init__(self) -> None:
        self.starts = 1
        self.active: dict[str, str] = {}
        self.loaded: dict[str, set[str]] = {}
        self.behaviour: dict[str, Behaviour] = {}
        self.listening: dict[str, tuple[str, float]] = {}
        """Which version hears which share of the requests beside the one that answers."""
        self.weights: dict[str, dict[str, float]] = {}
        """How versions share the requests of a model; a model that is not here has one that answers."""
        self.refused: set[str] = set()
        self.quarantined: set[str] = set()
        """Versions whose package it cannot load."""

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        match command:
            case Load() if command.version in self.quarantined:
                return Refused("model_quarantined", "it took the process down too often")
            case Load() if command.version in self.refused:
                return Refused("package_invalid", "damaged")
            case Load():
                self.loaded.setdefault(command.model, set()).add(command.version)
            case Switch():
                self.active[command.model] = command.version
                self.listening[command.model] = (command.compare_with, command.compare_share)
                self.weights[command.model] = command.weights
            case Unload():
                self.loaded[command.model].discard(command.version)
            case Collect():
                pass
            case Status():
                return self.status()
            case _:
                raise AssertionError(command)
        return Done()

    def status(self) -> ServingStatus:
        models = {
            name: ModelServing(
                active=self.active.get(name, ""),
                loaded=tuple(sorted(versions)),
                behaviour=dict(self.behaviour),
                weights=self.weights.get(name, {}),
            )
            for name, versions in self.loaded.items()
        }
        return ServingStatus(instance=f"start-{self.starts}", models=models)

    def die(self) -> None:
        self.starts += 1
        self.active.clear()
        self.loaded.clear()
        self.weights.clear()


class ScriptedEffects:
    """Every effect succeeds unless a test says otherwise."""

    def __init__(self, serving: FakeServing) -> None:
        self.serving = serving
        self.failing: dict[UpdateEffect, Exception] = {}
        self.others: Sequence[Assignment] = ()
        self.is_wanted: Callable[[], bool] = lambda: True
        self.performed: list[UpdateEffect] = []
        self.damaged: set[str] = set()
        """Versions whose package on disk is not what was installed."""

    async def perform(
        self,
        update: Update,
        model: ModelState,
        status: ServingStatus,
        *,
        others: Sequence[Assignment] = (),
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        self.others, self.is_wanted = others, is_wanted
        self.performed.append(update.effect)
        error = self.failing.get(update.effect)
        if error is not None:
            raise error
        name, version = update.assignment.model, update.assignment.version
        if update.effect is UpdateEffect.LOAD:
            await self.serving.call(Load(name, version, "path"), timeout_s=1.0)
        if update.effect is UpdateEffect.SWITCH and can_shadow(update, model, status):
            return Outcome(UpdateEvent.SHADOWED)
        if update.effect in {UpdateEffect.SWITCH, UpdateEffect.LISTEN}:
            await self.serving.call(split(update, 0.5) if update.is_held else Switch(name, version), timeout_s=1.0)
        return Outcome(EVENT_OF[update.effect])

    def installed(self, update: Update) -> object:
        return msgspec.structs.replace(an_installed(update.assignment.version), offline_s_max=update.offline_s_max)

    def is_intact(self, installed: Installed) -> bool:
        return installed.version not in self.damaged


class Bench:
    """An Updates with everything around it faked."""

    def __init__(self, directory: Path, state: NodeState | None = None) -> None:
        self.clock, self.store, self.serving = FakeClock(), StoreInMemory(), FakeServing()
        self.effects = ScriptedEffects(self.serving)
        self.files: list[ActiveModels] = []
        self.disk_is_full = False
        self.directory = directory
        self.times: InstallTimes | None = None
        self.updates = self.restarted(state or NodeState())

    def restart_and_step(self) -> None:
        """Let a new agent look at the world once."""
        self.updates = self.restarted(self.updates.state)
        self.run(self.updates.step)

    def replace_file(self, data: bytes) -> None:
        if self.disk_is_full:
            raise DiskUnusable("full")
        self.files.append(msgspec.json.decode(data, type=ActiveModels))

    def restarted(self, state: NodeState) -> Updates:
        alignment = Alignment(
            control=self.serving,
            places=Places(self.directory),
            replace_file=self.replace_file,
            written=ActiveModels(),
        )
        return Updates(
            store=self.store,
            control=self.serving,
            effects=self.effects,  # type: ignore[arg-type]  # the script stands in for the class
            alignment=alignment,
            clock=self.clock,
            chance=SeededChance(1),
            state=state,
            retry=BackoffPolicy(),
            times=self.times,
        )

    def run(self, work: Callable[[], object]) -> object:
        async def call() -> object:
            return await work()  # type: ignore[misc]  # every method under test is a coroutine function

        return anyio.run(call)

    def take(self, desired: object) -> object:
        async def call() -> object:
            return await self.updates.take(desired)  # type: ignore[arg-type]  # tests give desired states

        return anyio.run(call)

    def step_until_still(self) -> None:
        for _ in range(30):
            if not self.run(self.updates.step):
                return
        raise AssertionError("the update never comes to rest")

    @property
    def model(self) -> ModelState:
        return self.updates.state.models["meter"]

    @property
    def state_now(self) -> UpdateState | None:
        return self.model.update.state if self.model.update else None

    def event_names(self) -> list[str]:
        return [event.name for event in self.store.events]


def serving_version_1(directory: Path) -> Bench:
    bench = Bench(directory, NodeState(models={"meter": ModelState(committed=an_installed("1"))}))
    bench.step_until_still()
    return bench


def healthy() -> Behaviour:
    behaviour = Behaviour()
    for _ in range(50):
        behaviour.count_answer(100, ["7"], [0.9])
    return behaviour
