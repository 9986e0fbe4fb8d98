"""The shell of the update machine, with a fake link, a fake serving process and a store in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import msgspec
import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import ArtifactUntrusted, HubUnreachable
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.node.domain.reconcile import ModelState, NodeState
from ganglion.node.domain.update import Update, UpdateEffect, UpdateEvent
from ganglion.node.services.alignment import Alignment
from ganglion.node.services.places import Places
from ganglion.node.services.update_effects import Outcome
from ganglion.node.services.updates import Updates
from ganglion.ports.agent_store import JournalPosition, NewRecord, OutboxFigures
from ganglion.ports.serving_control import (
    ActiveModels,
    Collect,
    Command,
    Done,
    Load,
    ModelServing,
    Reply,
    ServingStatus,
    Status,
    Switch,
    Unload,
)
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.messages import DeploymentPolicy, Envelope, EventRecord, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed

EVENT_OF = {
    UpdateEffect.PRECHECK: UpdateEvent.PRECHECKED,
    UpdateEffect.TRUST: UpdateEvent.TRUSTED,
    UpdateEffect.DOWNLOAD: UpdateEvent.DOWNLOADED,
    UpdateEffect.LOAD: UpdateEvent.LOADED,
    UpdateEffect.PROVE: UpdateEvent.PROVED,
    UpdateEffect.SWITCH: UpdateEvent.SWITCHED,
}


class StoreInMemory:
    """Keeps what was saved, and what a restart would find."""

    def __init__(self) -> None:
        self.saved: bytes | None = None
        self.events: list[EventRecord] = []

    def state(self) -> bytes | None:
        return self.saved

    def save(self, state: bytes, records: Sequence[NewRecord] = ()) -> None:
        self.saved = state
        self.events += [msgspec.msgpack.decode(record.payload, type=EventRecord) for record in records]

    def journal_position(self) -> JournalPosition:
        return JournalPosition()

    def take_journal(self, records: Sequence[NewRecord], position: JournalPosition) -> None:
        raise AssertionError("not used here")

    def pending(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        return []

    def acknowledge(self, cursor: int) -> None:
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

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        match command:
            case Load():
                self.loaded.setdefault(command.model, set()).add(command.version)
            case Switch():
                self.active[command.model] = command.version
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
                active=self.active.get(name, ""), loaded=tuple(sorted(versions)), behaviour=dict(self.behaviour)
            )
            for name, versions in self.loaded.items()
        }
        return ServingStatus(instance=f"start-{self.starts}", models=models)

    def die(self) -> None:
        self.starts += 1
        self.active.clear()
        self.loaded.clear()


class ScriptedEffects:
    """Every effect succeeds unless a test says otherwise."""

    def __init__(self, serving: FakeServing) -> None:
        self.serving = serving
        self.failing: dict[UpdateEffect, Exception] = {}

    async def perform(self, update: Update, model: ModelState, status: ServingStatus) -> Outcome:
        error = self.failing.get(update.effect)
        if error is not None:
            raise error
        name, version = update.assignment.model, update.assignment.version
        if update.effect is UpdateEffect.LOAD:
            await self.serving.call(Load(name, version, "path"), timeout_s=1.0)
        if update.effect is UpdateEffect.SWITCH:
            await self.serving.call(Switch(name, version), timeout_s=1.0)
        return Outcome(EVENT_OF[update.effect])

    def installed(self, update: Update) -> object:
        return an_installed(update.assignment.version)


class Bench:
    """An Updates with everything around it faked."""

    def __init__(self, directory: Path, state: NodeState | None = None) -> None:
        self.clock, self.store, self.serving = FakeClock(), StoreInMemory(), FakeServing()
        self.effects = ScriptedEffects(self.serving)
        self.files: list[ActiveModels] = []
        self.directory = directory
        self.updates = self.restarted(state or NodeState())

    def restarted(self, state: NodeState) -> Updates:
        alignment = Alignment(
            control=self.serving,
            places=Places(self.directory),
            replace_file=lambda data: self.files.append(msgspec.json.decode(data, type=ActiveModels)),
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


def test_a_version_that_nobody_asks_commits_when_the_policy_demands_no_answers(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(a_desired(1, an_assignment("1", policy=DeploymentPolicy(probation_s=1.0, inferences_min=0))))
    bench.step_until_still()

    bench.clock.advance(2.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("1")


def test_an_offered_version_reaches_probation_and_then_waits_for_traffic(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)

    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "2"}


def test_probation_with_good_behaviour_commits_and_becomes_what_serving_starts_from(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.serving.behaviour["2"] = healthy()
    bench.run(bench.updates.step)
    bench.clock.advance(6.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert bench.model.spare == an_installed("1")
    assert bench.files[-1].models["meter"].version == "2"
    assert bench.serving.loaded["meter"] == {"2"}
    assert bench.event_names() == ["update.offered", "update.committed"]


def test_a_version_that_answers_wrong_is_rolled_back_with_the_network_gone(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2", policy=DeploymentPolicy(compared_min=20))))
    bench.step_until_still()
    wrong = healthy()
    wrong.count_comparison(compared=40, agreed=4, latency_us=100)

    bench.serving.behaviour["2"] = wrong
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.serving.loaded["meter"] == {"1"}
    assert bench.store.events[-1].name == "update.rolled_back"
    assert "agreement" in bench.store.events[-1].reason
    assert bench.files[-1].models["meter"].version == "1"


def test_the_hub_can_call_a_version_back_during_its_probation(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.take(a_desired(2, an_assignment("1", rollout="r2")))
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.update is None
    assert bench.event_names() == ["update.offered", "update.rolled_back"]


def test_an_unreachable_hub_delays_an_update_and_does_not_fail_it(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.DOWNLOAD] = HubUnreachable("no route")
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    del bench.effects.failing[UpdateEffect.DOWNLOAD]
    bench.clock.advance(60.0)
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION


def test_bytes_that_were_not_signed_end_the_update_and_nothing_changes(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.DOWNLOAD] = ArtifactUntrusted("another hash")

    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    assert bench.model.failed == an_assignment("2")
    assert bench.serving.active == {"meter": "1"}
    assert "artifact_untrusted" in bench.store.events[-1].reason


def test_a_failed_version_is_not_tried_again_when_the_same_wish_arrives_again(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.PROVE] = ArtifactUntrusted("x")
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()
    bench.effects.failing.clear()

    bench.take(a_desired(2, an_assignment("2")))
    bench.step_until_still()

    assert bench.state_now is None
    assert bench.serving.active == {"meter": "1"}


@pytest.mark.parametrize("state", [state for state in UpdateState if state not in {"committed", "rolled_back"}])
def test_an_agent_that_was_killed_in_any_state_finishes_the_update(tmp_path: Path, state: UpdateState) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    while bench.state_now is not state:
        bench.run(bench.updates.step)
    assert bench.store.saved is not None

    bench.updates = bench.restarted(msgspec.msgpack.decode(bench.store.saved, type=NodeState))
    bench.run(bench.updates.resume)
    bench.step_until_still()
    bench.serving.behaviour["2"] = healthy()
    bench.run(bench.updates.step)
    bench.clock.advance(6.0)
    bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert bench.event_names() == ["update.offered", "update.committed"]


def test_serving_that_dies_once_during_probation_is_given_the_version_again(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()

    bench.serving.die()
    bench.step_until_still()

    assert bench.state_now is UpdateState.PROBATION
    assert bench.serving.active == {"meter": "2"}


def test_serving_that_dies_again_and_again_goes_back_to_the_known_good_version(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))

    for _ in range(2):
        bench.step_until_still()
        bench.serving.die()
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    assert bench.model.committed == an_installed("1")
    assert "lost 2 times" in bench.store.events[-1].reason


def test_a_model_that_the_hub_wants_no_more_is_unloaded(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)

    bench.take(a_desired(1))
    bench.step_until_still()

    assert bench.serving.loaded["meter"] == set()
    assert bench.event_names() == ["model.removed"]


def test_an_older_wish_changes_nothing(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(5, an_assignment("1")))

    assert bench.take(a_desired(4, an_assignment("2"))) is False
    assert bench.state_now is None
