"""One node's update machine in a world that kills it: agent, serving process, or the power, before or after any step.

What survives a kill is what a disk would hold: the stored state (or, when the last write was lost with the power, the
one before it), the start-up file, and packages, of which one that was being unpacked is torn.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DataCorrupt, GanglionError, HubUnreachable, InvalidPackage
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.core.trust_errors import ArtifactUntrusted, AssignmentOutdated
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
from ganglion.node.domain.update.table import Update, UpdateEffect, UpdateEvent
from ganglion.node.services import stored_state
from ganglion.node.services.places import Places
from ganglion.node.services.update.alignment import Alignment
from ganglion.node.services.update.effects import Outcome, can_shadow
from ganglion.node.services.update.held_trials import split
from ganglion.node.services.update.updates import Updates
from ganglion.ports.agent_store import NewRecord
from ganglion.ports.serving_control import (
    ActiveModels,
    Command,
    Done,
    Load,
    Refused,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import Assignment, DeploymentPolicy, DesiredState, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import EVENT_OF, FakeServing, StoreInMemory

MODEL = "meter"
OLD, NEW = "1", "2"
STEPS_MAX = 600
AFTER_A_WRITE = "after a write"
POLICY = DeploymentPolicy(probation_s=2.0, inferences_min=20, compared_min=20, agreement_min=0.8, compare_share=0.5)
SHADOWED = msgspec.structs.replace(POLICY, shadow_comparisons_min=20)
EVENING = datetime(2026, 11, 23, 21, 59, 30, tzinfo=UTC)
AT_TEN = ("daily 22:00-05:00",)


class Fate(StrEnum):
    """What the new version turns out to be."""

    GOOD = "good"
    WRONG = "wrong"
    FATAL_AT_LOAD = "fatal at load"
    FATAL_IN_USE = "fatal in use"
    UNPROVEN = "unproven"
    UNTRUSTED = "untrusted"


class Victim(StrEnum):
    """What is killed. With the power go both processes, and maybe the last write."""

    AGENT = "agent"
    SERVING = "serving"
    POWER = "power"


class Killed(BaseException):
    """The agent is gone in the middle of whatever it did."""


class Store(StoreInMemory):
    """Remembers what was stored before the last write."""

    def __init__(self, point: Callable[[str], None]) -> None:
        super().__init__()
        self._point = point
        self._before: tuple[bytes | None, int] = (None, 0)

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        self._point("before a write")
        self._before = (self.saved, len(self.events))
        super().save(state, records)
        self._point(AFTER_A_WRITE)

    def lose_last_write(self) -> None:
        self.saved, kept = self._before
        del self.events[kept:]

    def tear(self) -> None:
        self.saved = (self.saved or b"")[: len(self.saved or b"") // 2]


class Serving(FakeServing):
    """Serves what lies whole on the disk, and starts from the start-up file."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        instance = self.starts
        self._world.point(f"before {type(command).__name__}")
        reply = self._carry_out(command)
        self._world.point(f"after {type(command).__name__}")
        if self.starts != instance:
            raise ServingUnreachable("it died over this command")
        return reply

    def _carry_out(self, command: Command) -> Reply:
        versions = self.loaded.setdefault(MODEL, set())
        match command:
            case Load() if self._world.disk.get(command.version) != "whole":
                return Refused("package_invalid", "torn")
            case Load() if command.version == NEW and self._world.fate is Fate.FATAL_AT_LOAD:
                self.restart()
            case Load():
                versions.add(command.version)
            case Switch() if command.version not in versions:
                return Refused("not_found", "not loaded")
            case Switch():
                if self.active.get(MODEL) != command.version:
                    self.behaviour[command.version] = Behaviour()
                self.active[MODEL] = command.version
                self.listening[MODEL] = (command.compare_with, command.compare_share)
                self.weights[MODEL] = command.weights
            case Unload():
                versions.discard(command.version)
                if self.active.get(MODEL) == command.version:
                    self.active.pop(MODEL)
            case Status():
                return self.status()
            case _:
                pass
        return Done()

    def restart(self) -> None:
        """Begin anew with what is committed."""
        self.die()
        self.behaviour.clear()
        self.listening.clear()
        active = self._world.active_file.models.get(MODEL)
        if active is not None and self._world.disk.get(active.version) == "whole":
            self.loaded[MODEL], self.active[MODEL] = {active.version}, active.version

    def answer(self, requests: int) -> None:
        """Let clients ask for a while."""
        active = self.active.get(MODEL, "")
        if not active:
            return
        if NEW in (active, *self.weights.get(MODEL, ())) and self._world.fate is Fate.FATAL_IN_USE:
            self.restart()
            return
        listener, share = self.listening.get(MODEL, ("", 0.0))
        counts = self.behaviour.setdefault(active, Behaviour())
        is_wrong = self._world.fate is Fate.WRONG and NEW in (active, listener)
        for index in range(requests):
            counts.count_answer(100, ["7"], [0.9])
            if listener in self.loaded[MODEL] and index < requests * share:
                counts.count_comparison(1, int(not is_wrong), 100)


class Effects:
    """What the effects of an update do to this world's disk and serving."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def perform(
        self,
        update: Update,
        model: ModelState,
        status: ServingStatus,
        *,
        others: Sequence[Assignment] = (),
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        world, version = self._world, update.assignment.version
        match update.effect:
            case UpdateEffect.TRUST:
                world.fail_sometimes()
                if update.assignment.statement_key != world.key:
                    raise AssignmentOutdated("the root names another key")
                if version == NEW and world.fate is Fate.UNTRUSTED:
                    raise ArtifactUntrusted("nobody signs it")
                world.trusted.add(version)
            case UpdateEffect.DOWNLOAD if world.disk.get(version) != "whole":
                world.fail_sometimes()
                world.disk[version] = "torn"
                world.point("while it unpacks")
                world.disk[version] = "whole"
            case UpdateEffect.LOAD:
                await self._call(Load(MODEL, version, "path"))
            case UpdateEffect.PROVE if version == NEW and world.fate is Fate.UNPROVEN:
                return Outcome(UpdateEvent.FAILED, "golden inputs")
            case UpdateEffect.SWITCH if can_shadow(update, model, status):
                return Outcome(UpdateEvent.SHADOWED)
            case UpdateEffect.SWITCH | UpdateEffect.LISTEN:
                share = 0.0 if update.was_committed else update.assignment.policy.compare_share
                alone = Switch(MODEL, version, compare_with=OLD, compare_share=share)
                await self._call(split(update, share) if update.is_held else alone)
        return Outcome(EVENT_OF[update.effect])

    async def _call(self, command: Command) -> None:
        reply = await self._world.serving.call(command, timeout_s=1.0)
        if isinstance(reply, Refused):
            raise InvalidPackage(reply.message)

    def installed(self, update: Update) -> Installed:
        return an_installed(update.assignment.version)

    def is_intact(self, installed: Installed) -> bool:
        return self._world.disk.get(installed.version) == "whole"


class World:
    """A schedule: which version is offered, what it turns out to be, what is killed where."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = random.Random(seed)
        self.directory = directory
        self.fate = self.random.choice([Fate.GOOD, *Fate])
        self.kills_left = self.random.randrange(7)
        self.faults_left = self.random.randrange(3)
        self.clock = FakeClock(utc_ns=int(EVENING.timestamp() * 1e9))
        self.clock_breaks_at = self.random.choice([STEPS_MAX, self.random.randrange(1, 70)])
        """When the machine forgets what day it is, for a while."""
        self.disk = {OLD: "whole"}
        self.trusted = {OLD}
        self.active_file = ActiveModels()
        self.was_damaged = False
        self.kills: list[str] = []
        self.key, self.key_changes_at = "", self.random.choice([STEPS_MAX, *range(1, 12)])
        """With which key the newest root wants assignments signed, and when that becomes another one."""
        self.windows = self.random.choice([(), AT_TEN])
        self.had_begun = self.waited = False
        self.wishes = self._draw_wishes()
        self.store = Store(self.point)
        self.store.saved = msgspec.msgpack.encode(NodeState(models={MODEL: ModelState(committed=an_installed(OLD))}))
        self.serving = Serving(self)
        self.updates = self._start()

    def point(self, where: str) -> None:
        """Kill something here, if the schedule says so."""
        if self.kills_left == 0 or self.random.random() > 0.08:
            return
        self.kills_left -= 1
        victim = self.random.choice(list(Victim))
        self.kills.append(f"{victim} {where}")
        if victim is not Victim.AGENT:
            self.serving.restart()
        if victim is Victim.POWER and where == AFTER_A_WRITE and self.random.random() < 0.5:
            # Nobody was told yet that it is stored; what was told of is synced.
            self.store.lose_last_write()
        if victim is not Victim.SERVING:
            raise Killed

    def fail_sometimes(self) -> None:
        """Let the hub be away for a moment."""
        if self.faults_left and self.random.random() < 0.5:
            self.faults_left -= 1
            raise HubUnreachable("no route")

    async def live(self) -> None:
        """Let time pass until the node is at rest, and check what must hold at every moment."""
        for step in range(STEPS_MAX):
            if step == self.key_changes_at:
                self.rotate_key()
            if step in (self.clock_breaks_at, self.clock_breaks_at + 40):
                self.clock.jump(-50 * 365 * 86_400.0 * (1 if step == self.clock_breaks_at else -1))
            try:
                if self.wishes and step >= self.wishes[0][0]:
                    await self.updates.take(self.wishes[0][1])
                    self.wishes.pop(0)
                await self.updates.step()
            except Killed:
                await self._come_back()
            except GanglionError:
                pass  # The agent logs it, and goes on with the next look.
            self.serving.answer(10)
            self.clock.advance(0.5)
            self.check()
            if not self.wishes and self.is_at_rest:
                return
        raise AssertionError(f"no rest after {STEPS_MAX} steps: {self}")

    def rotate_key(self) -> None:
        """Let the hub sign everything anew with another key; the root that names it may arrive first."""
        self.key = "next"
        held = self.updates.state.desired
        renewed = a_desired(held.revision, *held.assignments) if held else None
        said = [(0, renewed), *self.wishes] if renewed else self.wishes
        delay = self.random.randrange(4)
        # Each restatement has a revision of its own, and all that follow come after it.
        self.wishes = [
            (max(at, self.key_changes_at + delay), self._signed_anew(wish, wish.revision + 1)) for at, wish in said
        ]

    def _signed_anew(self, wish: DesiredState, revision: int) -> DesiredState:
        signed = [msgspec.structs.replace(each, statement_key=self.key) for each in wish.assignments]
        return a_desired(revision, *signed)

    def check(self) -> None:
        """Only what was verified answers, and only what was committed is started from."""
        answers = self.serving.active.get(MODEL)
        assert answers is None or (answers in self.trusted and self.disk[answers] == "whole"), self
        assert answers != NEW or self.had_begun or self.is_in_time, self
        self.had_begun |= answers == NEW
        update = self.model.update
        self.waited |= update is not None and update.state is UpdateState.STAGED
        committed = {OLD, *(event.version for event in self.store.events if event.name == "update.committed")}
        started_from = self.active_file.models.get(MODEL)
        assert started_from is None or self.was_damaged or started_from.version in committed, self

    @property
    def is_in_time(self) -> bool:
        """Say whether the new version may begin to answer now."""
        shown = datetime.fromtimestamp(self.clock.utc_ns() / 1e9, UTC)
        return not self.windows or EVENING.replace(hour=22, minute=0, second=0) <= shown

    @property
    def model(self) -> ModelState:
        return self.updates.state.models[MODEL]

    @property
    def is_at_rest(self) -> bool:
        """No attempt is under way, and what is committed answers."""
        committed = self.model.committed
        return (
            self.model.update is None
            and committed is not None
            and self.serving.active.get(MODEL) == committed.version
            and self.active_file.models[MODEL].version == committed.version
        )

    def __str__(self) -> str:
        return f"{self.fate}, killed: {', '.join(self.kills) or 'nothing'}; wishes left: {len(self.wishes)}"

    def _draw_wishes(self) -> list[tuple[int, DesiredState]]:
        policy = self.random.choice([POLICY, SHADOWED])
        policy = msgspec.structs.replace(policy, install_windows=self.windows)
        wishes = [(1, a_desired(1, an_assignment(NEW, policy=policy)))]
        if self.random.random() < 0.3:
            wishes.append((self.random.randrange(2, 25), a_desired(2, an_assignment(OLD, rollout="r2"))))
        return wishes

    def _replace_file(self, data: bytes) -> None:
        self.point("before the start-up file")
        self.active_file = msgspec.json.decode(data, type=ActiveModels)
        self.point("after the start-up file")

    async def _come_back(self) -> None:
        """Start the agent until it comes up; a damaged store makes it begin from the start-up file."""
        if self.kills_left and self.random.random() < 0.05:
            self.store.tear()
        while True:
            try:
                self.updates = self._start()
                await self.updates.resume()
            except Killed:
                continue
            return

    def _start(self) -> Updates:
        return Updates(
            store=self.store,
            control=self.serving,
            effects=Effects(self),  # type: ignore[arg-type]  # the world stands in for the class
            alignment=Alignment(
                control=self.serving,
                places=Places(self.directory),
                replace_file=self._replace_file,
                written=self.active_file,
            ),
            clock=self.clock,
            chance=SeededChance(1),
            state=self._stored(),
            retry=BackoffPolicy(),
        )

    def _stored(self) -> NodeState:
        try:
            return stored_state.load_state(self.store.saved or b"")
        except DataCorrupt:
            self.was_damaged = True
            self.kills.append("the state torn")
            found = {name: an_installed(model.version) for name, model in self.active_file.models.items()}
            # The hub tells a node that knows nothing everything again.
            self.wishes = [(0, self._signed_anew(wish, wish.revision)) for _, wish in self._draw_wishes()[:1]]
            return stored_state.adopt(NodeState(), found or {MODEL: an_installed(OLD)})
