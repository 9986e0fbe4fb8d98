"""Requests of different clients in one run of the engine."""

from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec
import numpy as np
import pytest

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import GanglionError, Overloaded
from ganglion.core.pipeline import Infer, Pipeline
from ganglion.core.serving_errors import DeadlineExceeded, InputUnusable, ModelFailed
from ganglion.core.steps import Tensors
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.services.serving.answers import Inferred, InferRequest, Outcome
from ganglion.node.services.serving.batch_runs import BatchCosts, BatchPlan, plan_batches, run_together
from ganglion.node.services.serving.commands import ServingCommands
from ganglion.node.services.serving.runs import Package, timed_package
from ganglion.node.services.serving.versions import LoadedVersion
from ganglion.ports.serving_control import Done, Load
from ganglion.testing.clock import FakeClock
from unit.node.serving_builders import FakeLane, ServingWorld, copy_through, manifest_of, package_of, rows

DEAR = BatchCosts(1e6, 1e6, 2, 2.0)
CHEAP = BatchCosts(1.0, 1.0, 2, 2.0)


@dataclass
class CountingModel:
    """Copies its inputs, counts its runs, and fails on rows that begin with `bad`."""

    bad: float = -1.0
    sizes: list[int] = field(default_factory=list)

    def infer(self, feeds: Tensors) -> Tensors:
        self.sizes.append(len(feeds["x"]))
        if (feeds["x"][:, 0] == self.bad).any():
            raise ModelFailed("a bad row")
        return copy_through(feeds)


class BatchWorld(ServingWorld):
    """A model whose requests are gathered; they run on the loop unless they are dear."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lane = FakeLane(queue_len_max=1000)
        self.lane.end_of_turn = self.lane.later  # type: ignore[method-assign]  # requests of a test share a turn
        super().__post_init__()
        self.model = CountingModel()

    def serve(self, *, costs: BatchCosts | None = CHEAP, **options: int) -> LoadedVersion:
        rules = BatchingRules(**{"max_size": 4, **options})  # type: ignore[arg-type]  # of whole numbers only
        package = package_of("1", self.model.infer)
        plan = BatchPlan(rules, costs)
        return self.add(LoadedVersion("1", Path("/1"), package, element_us=1.0, batching=plan))

    def send(self, *values: float, deadline_s: float = float("inf")) -> list[list[Outcome]]:
        """Send a request of one row for each value; the lists get the answers."""
        return [self._send(value, deadline_s) for value in values]

    def _send(self, value: float, deadline_s: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        request = InferRequest("steer", "", "", rows((value, 1 - value)), deadline_s=deadline_s)
        self.tickets.append(self.serving.answer(request, outcomes.append))
        return outcomes


@pytest.fixture
def world() -> BatchWorld:
    return BatchWorld()


def value_of(outcomes: list[Outcome]) -> float:
    [outcome] = outcomes
    assert isinstance(outcome, Inferred), outcome
    return round(float(outcome.answer.outputs["probabilities"][0, 0]), 3)


def error_of(outcomes: list[Outcome]) -> GanglionError:
    [outcome] = outcomes
    assert isinstance(outcome, GanglionError), outcome
    return outcome


def test_requests_of_one_turn_share_a_run_and_each_gets_its_own_answer(world: BatchWorld) -> None:
    world.serve()

    answers = world.send(0.1, 0.2, 0.3)
    world.lane.run()

    assert world.model.sizes == [3]
    assert [value_of(each) for each in answers] == [0.1, 0.2, 0.3]
    assert [result.labels for result in world.journal.results] == [("right",)] * 3


def test_what_does_not_fit_makes_the_next_batch(world: BatchWorld) -> None:
    world.serve()

    answers = world.send(*[number / 10 for number in range(10)])
    world.lane.run()

    assert world.model.sizes == [4, 4, 2]
    assert [value_of(each) for each in answers] == [number / 10 for number in range(10)]


def test_requests_with_several_rows_are_split_where_they_were_joined(world: BatchWorld) -> None:
    world.serve()
    answers: list[Outcome] = []
    for inputs in (rows((0.1, 0.9), (0.2, 0.8)), rows((0.3, 0.7))):
        world.serving.answer(InferRequest("steer", "", "", inputs), answers.append)
    world.lane.run()

    shapes = [each.answer.outputs["probabilities"].shape for each in answers if isinstance(each, Inferred)]
    assert world.model.sizes == [3]
    assert shapes == [(2, 2), (1, 2)]


def test_a_bad_input_fails_alone(world: BatchWorld) -> None:
    world.model.bad = 0.5
    version = world.serve()

    good, bad, also_good = world.send(0.1, 0.5, 0.9)
    world.lane.run()

    assert isinstance(error_of(bad), ModelFailed)
    assert (value_of(good), value_of(also_good)) == (0.1, 0.9)
    assert world.model.sizes == [3, 1, 1, 1]
    statistics = version.statistics
    assert (statistics.success.count, statistics.failed, statistics.batches_rerun) == (2, 1, 1)


def test_a_model_that_cannot_be_batched_is_found_out_and_answers_all_the_same(world: BatchWorld) -> None:
    def one_at_a_time(feeds: Tensors) -> Tensors:
        if len(feeds["x"]) > 1:
            raise ValueError("one row, please")
        return copy_through(feeds)

    world.model.infer = one_at_a_time  # type: ignore[method-assign]  # another model
    version = world.serve()

    for _ in range(4):
        answers = world.send(0.1, 0.2)
        world.lane.run()
        assert [value_of(each) for each in answers] == [0.1, 0.2]

    assert version.statistics.batches_rerun == 3
    assert version.batching is None


def test_outputs_that_are_no_rows_are_not_split(world: BatchWorld) -> None:
    package = Package(Pipeline(manifest_of(), lambda feeds: {"probabilities": feeds["x"][:1]}), package_of().golden)

    together = run_together(package, [rows((0.1, 0.9)), rows((0.8, 0.2))], world.clock)

    assert not together.is_shared
    assert [each.labels for each in together.runs] == [("right",), ("left",)]


def test_dear_batches_run_in_the_thread_and_the_next_one_gathers_meanwhile(world: BatchWorld) -> None:
    world.serve(costs=DEAR)
    first = world.send(0.1, 0.2)
    world.lane.turn()

    second = world.send(0.3, 0.4, 0.5)
    world.lane.run()

    assert world.model.sizes == [2, 3]
    assert [value_of(each) for each in first + second] == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_request_waits_for_others_no_longer_than_its_delay(world: BatchWorld) -> None:
    world.serve(max_delay_us=5000)
    [answer] = world.send(0.1)
    world.lane.run()
    assert answer == []

    world.clock.advance(0.005)
    world.lane.wake()

    assert value_of(answer) == 0.1


def test_a_full_batch_does_not_wait(world: BatchWorld) -> None:
    version = world.serve(max_delay_us=5000)

    world.send(0.1, 0.2, 0.3, 0.4)
    world.lane.run()

    assert world.model.sizes == [4]
    assert version.statistics.batches_started == {"full": 1}


@pytest.mark.parametrize("costs", [CHEAP, DEAR])
def test_a_deadline_is_told_when_it_passes_wherever_the_request_waits(world: BatchWorld, costs: BatchCosts) -> None:
    version = world.serve(costs=costs, max_delay_us=5000)
    [late] = world.send(0.1, deadline_s=0.002)
    [patient] = world.send(0.2)
    world.lane.turn()

    world.clock.advance(0.003)
    world.lane.wake()

    assert isinstance(error_of(late), DeadlineExceeded)
    assert version.statistics.expired == 1
    world.clock.advance(0.005)
    world.lane.wake()
    world.lane.run()
    assert value_of(patient) == 0.2


@pytest.mark.parametrize("costs", [CHEAP, DEAR])
def test_a_request_that_was_taken_back_does_not_run(world: BatchWorld, costs: BatchCosts) -> None:
    version = world.serve(costs=costs)
    gone, kept = world.send(0.1, 0.2)
    if costs is DEAR:
        world.lane.turn()

    ticket = world.tickets[0]
    assert ticket is not None
    assert ticket.cancel()
    assert not ticket.cancel()
    world.lane.run()

    assert gone == []
    assert value_of(kept) == 0.2
    assert world.model.sizes == [1]
    assert version.statistics.cancelled == 1


def test_too_many_waiting_requests_are_shed(world: BatchWorld) -> None:
    world.serve(queue_len_max=2)

    *_, third = world.send(0.1, 0.2, 0.3)

    assert isinstance(error_of(third), Overloaded)


def test_a_full_lane_sheds_the_batch(world: BatchWorld) -> None:
    world.serve(costs=DEAR)
    world.lane._queue_len_max = 0

    answers = world.send(0.1, 0.2)
    world.lane.run()

    assert [type(error_of(each)) for each in answers] == [Overloaded, Overloaded]


def test_requests_of_a_sequence_keep_their_own_engine(world: BatchWorld) -> None:
    stateful = CountingModel()
    package = timed_package(
        manifest_of("1"), world.model.infer, package_of().golden, world.clock, open_sequence=lambda: stateful
    )
    plan = BatchPlan(BatchingRules(max_size=4), CHEAP)
    world.add(LoadedVersion("1", Path("/1"), package, element_us=1.0, batching=plan))
    answers: list[Outcome] = []
    for name in ("a", "b"):
        place = SequencePlace(name, is_first=True)
        world.serving.answer(InferRequest("steer", "", "", rows((0.1, 0.9)), place=place), answers.append)
    world.lane.run()

    assert len(answers) == 2
    assert (stateful.sizes, world.model.sizes) == ([1, 1], [])


def test_statistics_tell_runs_from_requests(world: BatchWorld) -> None:
    version = world.serve()

    world.send(0.1, 0.2, 0.3)
    world.lane.run()
    world.send(0.4)
    world.lane.run()

    statistics = version.statistics
    assert (statistics.success.count, statistics.rows, statistics.executions) == (4, 4, 2)
    assert {size: batch.count for size, batch in statistics.batches.items()} == {3: 1, 1: 1}
    assert statistics.batches_started == {"idle": 2}


def test_steps_run_for_each_request_and_a_step_that_refuses_one_refuses_only_that(world: BatchWorld) -> None:
    pipeline = Pipeline(manifest_of(), world.model.infer)
    package = Package(pipeline, package_of().golden)

    def prepare(inputs: Tensors) -> object:
        if inputs["x"][0, 0] == np.float32(0.2):
            raise InputUnusable("not this one")
        return real(inputs)

    real = pipeline.prepare
    pipeline.prepare = prepare  # type: ignore[assignment,method-assign]  # a step that refuses one value

    together = run_together(package, [rows((value, 1.0)) for value in (0.1, 0.2, 0.3)], world.clock)

    assert together.is_shared
    assert [isinstance(each.outcome, InputUnusable) for each in together.runs] == [False, True, False]


# --- when a version is loaded ---------------------------------------------------------------------


def test_a_plan_stays_within_what_the_model_takes(clock: FakeClock) -> None:
    plan = plan_batches(package_of(), BatchingRules(max_size=64, preferred_sizes=(2, 32)), clock)

    assert plan is not None
    assert (plan.rules.max_size, plan.rules.preferred_sizes) == (4, (2,))


def test_a_model_that_fails_on_a_full_batch_is_not_batched(clock: FakeClock) -> None:
    def one_row(feeds: Tensors) -> Tensors:
        assert len(feeds["x"]) == 1, "one row"
        return copy_through(feeds)

    assert plan_batches(package_of("1", one_row), BatchingRules(max_size=4), clock) is None


def test_a_batch_is_expected_to_take_what_its_rows_add() -> None:
    costs = BatchCosts(one_us=100.0, full_us=190.0, full_rows=10, row_elements=8.0)

    assert costs.expected_us(1, 8.0) == 100.0
    assert costs.expected_us(10, 8.0) == pytest.approx(190.0)
    assert costs.expected_us(1, 16.0) == 200.0


def load(
    advised: BatchingRules | None, batching: dict[str, BatchingRules], *, infer: Infer = copy_through
) -> BatchPlan | None:
    """Load a package that advises rules into a server with settings; return how its requests are joined."""
    world = ServingWorld()
    manifest = manifest_of("1")
    if advised is not None:
        manifest = msgspec.structs.replace(manifest, batching=advised)
    package = Package(Pipeline(manifest, infer), package_of().golden)
    commands = ServingCommands(
        table=world.table,
        recorder=world.recorder,
        open_package=lambda _: package,
        clock=world.clock,
        instance="i1",
        batching=batching,
    )
    assert anyio.run(commands.answer, Load("steer", "1", "/packages/1")) == Done()
    return world.table.loaded("steer", "1").batching


def test_a_package_is_served_as_it_advises_unless_settings_say_otherwise() -> None:
    two, three, four = (BatchingRules(max_size=size) for size in (2, 3, 4))

    plans = [
        load(two, {}),
        load(two, {"*": three}),
        load(two, {"*": three, "steer": four}),
        load(None, {"other": four}),
        load(two, {"steer": BatchingRules()}),
    ]

    assert [plan and plan.rules.max_size for plan in plans] == [2, 3, 4, None, None]


def test_a_model_that_cannot_be_batched_is_loaded_all_the_same() -> None:
    def one_row(feeds: Tensors) -> Tensors:
        assert len(feeds["x"]) == 1, "one row"
        return copy_through(feeds)

    assert load(None, {"*": BatchingRules(max_size=4)}, infer=one_row) is None
