from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import numpy as np
import pytest

from ganglion.core.errors import InvalidPackage
from ganglion.core.serving_errors import ModelNotReady
from ganglion.core.steps import Tensors
from ganglion.entrypoints.inference_api.documents import repository_index
from ganglion.node.services.serving.commands import LoadLimits, ServingCommands
from ganglion.node.services.serving.runs import Package
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
from ganglion.wire.desired import CollectionSettings
from unit.node.serving_builders import ServingWorld, copy_through, package_of, version_of

T = TypeVar("T")


def wrong(feeds: Tensors) -> Tensors:
    return {"probabilities": np.full_like(feeds["x"], 0.5)}


def crashing(feeds: Tensors) -> Tensors:
    raise ZeroDivisionError


@dataclass
class CommandWorld(ServingWorld):
    """Serving, and the agent that talks to it."""

    versions_max: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        self.opened: list[str] = []
        self.models: dict[str, Callable[[Tensors], Tensors]] = {}
        self.commands = ServingCommands(
            table=self.table,
            recorder=self.recorder,
            open_package=self.open,
            clock=self.clock,
            instance="i1",
            limits=LoadLimits(versions_max=self.versions_max),
        )

    def open(self, path: Path) -> Package:
        self.opened.append(path.name)
        if path.name == "unforeseen":
            raise ZeroDivisionError
        if path.name == "broken":
            raise InvalidPackage("a byte is wrong")
        return package_of(path.name, self.models.get(path.name, copy_through))

    def tell(self, *commands: Command) -> list[Reply]:
        async def tell() -> list[Reply]:
            return [await self.commands.answer(command) for command in commands]

        return anyio.run(tell)

    def load(self, version: str) -> Reply:
        return self.tell(Load("steer", version, f"/packages/{version}"))[0]

    def status(self) -> ServingStatus:
        (reply,) = self.tell(Status())
        assert isinstance(reply, ServingStatus)
        return reply


@pytest.fixture
def world() -> CommandWorld:
    return CommandWorld()


def code_of(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.code


def test_a_loaded_version_waits_beside_the_active_one(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"), Load("steer", "2", "/packages/2"))

    serving = world.status().models["steer"]

    assert serving.active == "1"
    assert serving.loaded == ("1", "2")


def test_loading_twice_loads_once(world: CommandWorld) -> None:
    assert world.load("1") == world.load("1") == Done()
    assert world.opened == ["1"]


def test_a_package_of_another_model_or_version_is_refused(world: CommandWorld) -> None:
    replies = world.tell(Load("brake", "1", "/packages/1"), Load("steer", "2", "/packages/1"))

    assert [code_of(reply) for reply in replies] == ["package_invalid", "package_invalid"]


def test_a_package_that_cannot_be_opened_leaves_the_active_version_alone(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"))

    (reply,) = world.tell(Load("steer", "2", "/packages/broken"))

    assert code_of(reply) == "package_invalid"
    assert world.status().models["steer"].active == "1"


def test_a_model_that_crashes_on_its_golden_inputs_is_not_loaded(world: CommandWorld) -> None:
    world.models["2"] = crashing

    assert code_of(world.load("2")) == "package_invalid"
    assert world.status().models["steer"].loaded == ()


def test_a_file_that_breaks_the_loading_in_an_unforeseen_way_is_refused_as_any_other(world: CommandWorld) -> None:
    reply = world.load("unforeseen")

    assert code_of(reply) == "package_invalid"
    assert world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1")) == [Done(), Done()]


def test_whoever_asks_for_a_model_that_could_not_be_loaded_is_told_why(world: CommandWorld) -> None:
    world.tell(Load("steer", "2", "/packages/broken"))

    (outcome,) = world.ask()

    assert isinstance(outcome, ModelNotReady)
    assert "a byte is wrong" in outcome.message
    (entry,) = repository_index(world.table.models, only_ready=False)
    assert entry["reason"] == "a byte is wrong"


def test_the_reason_goes_when_a_version_is_loaded_after_all(world: CommandWorld) -> None:
    world.tell(Load("steer", "2", "/packages/broken"), Load("steer", "1", "/packages/1"), Unload("steer", "1"))

    (outcome,) = world.ask()

    assert isinstance(outcome, ModelNotReady)
    assert "a byte is wrong" not in outcome.message


def test_no_more_versions_are_loaded_than_the_limit_allows() -> None:
    world = CommandWorld(versions_max=1)

    replies = world.tell(Load("steer", "1", "/packages/1"), Load("steer", "2", "/packages/2"))

    assert replies[0] == Done()
    assert code_of(replies[1]) == "conflict"


def test_a_model_that_answers_its_golden_inputs_is_proven(world: CommandWorld) -> None:
    world.load("1")

    (proof,) = world.tell(Prove("steer", "1"))

    assert proof == Proof(passed=True, deviation_max=0.0)


def test_a_model_that_answers_something_else_is_not_proven(world: CommandWorld) -> None:
    world.models["1"] = wrong
    world.load("1")

    (proof,) = world.tell(Prove("steer", "1"))

    assert isinstance(proof, Proof)
    assert not proof.passed
    assert "deviates" in proof.reason


def test_proving_or_switching_to_a_version_that_is_not_loaded_is_refused(world: CommandWorld) -> None:
    replies = world.tell(Prove("steer", "9"), Switch("steer", "9"))

    assert [code_of(reply) for reply in replies] == ["not_found", "not_found"]


def test_comparing_with_a_version_that_is_not_loaded_changes_nothing(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"), Load("steer", "2", "/packages/2"))

    (reply,) = world.tell(Switch("steer", "2", compare_with="9", compare_share=1.0))

    assert code_of(reply) == "not_found"
    assert world.status().models["steer"].active == "1"


def test_counts_begin_at_zero_with_every_switch_to_a_version(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Load("steer", "2", "/packages/2"), Switch("steer", "1"))
    world.ask()
    world.tell(Switch("steer", "2"))
    world.ask()

    before = world.status().models["steer"].behaviour
    world.tell(Switch("steer", "1"))

    assert (before["1"].requests, before["2"].requests) == (1, 1)
    after = world.status().models["steer"].behaviour
    assert (after["1"].requests, after["2"].requests) == (0, 1)


def test_switching_to_the_active_version_keeps_its_counts(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"))
    world.ask()

    world.tell(Switch("steer", "1"))

    assert world.status().models["steer"].behaviour["1"].requests == 1


def test_unloading_the_active_version_leaves_the_model_not_ready(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"), Unload("steer", "1"))

    serving = world.status().models["steer"]

    assert (serving.active, serving.loaded) == ("", ())


def test_unloading_what_is_not_loaded_is_done(world: CommandWorld) -> None:
    assert world.tell(Unload("steer", "9"), Unload("nobody", "1")) == [Done(), Done()]


def test_an_active_version_is_not_replaced_by_another_package(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"))

    (reply,) = world.tell(Load("steer", "1", "/elsewhere/1"))

    assert code_of(reply) == "conflict"


def test_a_version_that_is_not_active_is_replaced_by_another_package(world: CommandWorld) -> None:
    world.load("1")

    (reply,) = world.tell(Load("steer", "1", "/elsewhere/1"))

    assert reply == Done()
    assert world.opened == ["1", "1"]


def test_there_is_a_limit_to_loaded_versions(world: CommandWorld) -> None:
    replies = [world.load(str(number)) for number in range(33)]

    assert replies[:32] == [Done()] * 32
    assert code_of(replies[32]) == "conflict"


def test_what_is_collected_follows_the_settings(world: CommandWorld) -> None:
    world.tell(Load("steer", "1", "/packages/1"), Switch("steer", "1"))

    world.tell(Collect(CollectionSettings(confidence_below=1.1)))
    world.ask()

    assert len(world.journal.samples) == 1


def test_unload_waits_for_the_requests_in_flight(world: CommandWorld) -> None:
    world.add(version_of("1", element_us=1e6))
    waiting = world.ask()
    order: list[str] = []

    async def unload() -> None:
        await world.commands.answer(Unload("steer", "1"))
        order.append("unloaded")

    async def drain() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(unload)
            await anyio.wait_all_tasks_blocked()
            order.append("answered")
            world.lane.run()

    run_within(drain)

    assert order == ["answered", "unloaded"]
    assert len(waiting) == 1


def run_within(work: Callable[[], Coroutine[None, None, T]], *, timeout_s: float = 5.0) -> T:
    async def bounded() -> T:
        with anyio.fail_after(timeout_s):
            return await work()

    return anyio.run(partial(bounded))


def test_the_status_names_this_start_of_the_process(world: CommandWorld) -> None:
    assert world.status().instance == "i1"
