"""Versions come and go in a running core with a real engine: nobody notices, and nothing of them stays."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from ganglion.adapters.onnxruntime import OnnxRuntime
from ganglion.adapters.system import SystemClock
from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import GoldenMissing
from ganglion.core.ids import ModelName, Version
from ganglion.core.implicit import manifest_of
from ganglion.core.manifest import Target
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.answers import InferLimits, Inferred, InferRequest, Outcome, Serving
from ganglion.node.services.serving.commands import ServingCommands
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import Package, timed_package
from ganglion.node.services.serving.versions import ServingTable
from ganglion.ports.runtime import Engine
from ganglion.ports.serving_control import Command, Done, Load, Switch, Unload
from ganglion.testing.chance import SeededChance
from integration.inference_world import make_lane
from integration.models import classifier
from unit.node.serving_builders import NOTHING_COLLECTED, FakeJournal

TIMEOUT_S = 30.0
INLINE = InferLimits()
IN_THREAD = InferLimits(inline_us_max=0)
RULES = {"alone": {}, "batched": {"*": BatchingRules(max_size=8)}}


class World:
    """A serving core on the running loop whose models are files."""

    def __init__(self, folder: Path, rules: dict[str, BatchingRules], limits: InferLimits) -> None:
        self._folder, self._rules, self._limits = folder, rules, limits
        self.engines: list[weakref.ref[Engine]] = []

    async def start(self) -> None:
        table, clock, chance = ServingTable(), SystemClock(), SeededChance(1)
        self.lane = await make_lane(64)
        recorder = Recorder(journal=FakeJournal(), clock=clock, chance=chance, collection=NOTHING_COLLECTED)
        self.commands = ServingCommands(
            table=table,
            recorder=recorder,
            open_package=self.open,
            clock=clock,
            instance="i1",
            batching=self._rules,
        )
        self.serving = Serving(
            table=table, lane=self.lane, recorder=recorder, clock=clock, chance=chance, limits=self._limits
        )

    def open(self, path: Path) -> Package:
        engine = OnnxRuntime().load(path, threads=1)
        self.engines.append(weakref.ref(engine))
        manifest = manifest_of(
            ModelName("gate"),
            Version(path.stem),
            file=path.name,
            target=Target(),
            inputs=engine.inputs,
            outputs=engine.outputs,
            batch_max=64,
        )
        return timed_package(manifest, engine.infer, _no_golden, SystemClock())

    async def tell(self, *commands: Command) -> None:
        for command in commands:
            assert await self.commands.answer(command) == Done()

    async def bring(self, version: str) -> None:
        path = classifier(self._folder / f"{version}.onnx")
        await self.tell(Load("gate", version, str(path)), Switch("gate", version))

    async def ask(self, count: int) -> list[str]:
        """Send requests at once; return who answered."""
        outcomes: list[Outcome] = []
        for _ in range(count):
            self.serving.answer(InferRequest("gate", "", "", {"x": np.eye(3, dtype=np.float32)}), outcomes.append)
        while len(outcomes) < count:
            await anyio.lowlevel.checkpoint()
        return [outcome.name.version if isinstance(outcome, Inferred) else outcome.code for outcome in outcomes]


def _no_golden() -> tuple[Tensors, Tensors]:
    raise GoldenMissing("it has none")


@pytest.fixture
def without_collector() -> Iterator[None]:
    """In a serving process the collector comes seldom: what only it can free piles up."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("limits", [INLINE, IN_THREAD])
def test_a_version_that_was_unloaded_leaves_nothing_behind(tmp_path: Path, rules: str, limits: InferLimits) -> None:
    world = World(tmp_path, RULES[rules], limits)

    async def main() -> list[list[str]]:
        await world.start()
        answers = []
        for number in range(1, 6):
            await world.bring(str(number))
            answers.append(await world.ask(10))
            if number > 1:
                await world.tell(Unload("gate", str(number - 1)))
        world.lane.close()
        return answers

    async def bounded() -> list[list[str]]:
        with anyio.fail_after(TIMEOUT_S):
            return await main()

    answers = anyio.run(bounded)

    assert answers == [[str(number)] * 10 for number in range(1, 6)]
    assert [engine() is None for engine in world.engines] == [True, True, True, True, False]


@pytest.mark.parametrize("rules", RULES)
def test_requests_that_wait_are_answered_by_the_version_that_took_them(tmp_path: Path, rules: str) -> None:
    world = World(tmp_path, RULES[rules], IN_THREAD)
    outcomes: list[Outcome] = []

    async def main() -> None:
        await world.start()
        await world.bring("1")
        await world.bring("2")
        await world.tell(Switch("gate", "1"))
        for _ in range(20):
            world.serving.answer(InferRequest("gate", "", "", {"x": np.eye(3, dtype=np.float32)}), outcomes.append)
        with anyio.fail_after(TIMEOUT_S):
            await world.tell(Switch("gate", "2"), Unload("gate", "1"))
        world.lane.close()

    anyio.run(main)

    assert [outcome.name.version for outcome in outcomes if isinstance(outcome, Inferred)] == ["1"] * 20
