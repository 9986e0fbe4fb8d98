from collections.abc import Callable
from pathlib import Path

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.serving_errors import DeadlineExceeded, ModelFailed
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.answers import Inferred, InferRequest
from ganglion.node.services.serving.counts import Counted, Moments, Stages, Tally
from ganglion.node.services.serving.runs import timed_package
from ganglion.node.services.serving.versions import LoadedVersion
from unit.node.serving_builders import ServingWorld, copy_through, manifest_of, package_of, rows, version_of


def counted(number: int) -> Counted:
    moments = Moments(0.0, 1e-6, 3e-6, 6e-6, 6e-6 + number * 1e-6, 10e-6 + number * 1e-6)
    return Counted(number, (f"class-{number % 300}",), (number % 10 / 10,), moments, 1 + number % 2)


@pytest.mark.parametrize("requests", [1, 255, 256, 257, 1000])
def test_counting_in_heaps_is_the_same_as_counting_one_by_one(requests: int) -> None:
    tally, one_by_one = Tally(), Behaviour()
    for number in range(requests):
        each = counted(number)
        tally.add(each, at_ns=number)
        one_by_one.count_answer(each.latency_us, each.labels, each.confidences)

    behaviour = tally.behaviour
    assert behaviour.latency_us.buckets == one_by_one.latency_us.buckets
    assert behaviour.confidence == one_by_one.confidence
    assert behaviour.requests == requests
    assert sum(behaviour.classes.values()) == requests
    assert tally.statistics.requests == requests


def test_stages_are_the_times_between_the_moments() -> None:
    moments = Moments(decode_s=1.0, queue_s=1.001, pre_s=1.003, infer_s=1.006, post_s=1.010, ended_s=1.015)

    assert moments.stages() == Stages(queue_us=2000, decode_us=1000, pre_us=3000, infer_us=4000, post_us=5000)
    assert moments.stages().total_us == 15_000


def test_a_switch_begins_behaviour_anew_and_leaves_statistics() -> None:
    tally = Tally()
    tally.add(counted(7), at_ns=1)

    tally.restart_behaviour()
    tally.add_failure(9)

    assert (tally.behaviour.requests, tally.behaviour.errors) == (1, 1)
    statistics = tally.statistics
    assert (statistics.requests, statistics.failed, statistics.failed_us) == (2, 1, 9)


def test_rows_and_batch_sizes_are_counted() -> None:
    tally = Tally()
    for number in range(4):
        tally.add(counted(number), at_ns=number)

    statistics = tally.statistics
    assert statistics.rows == 6
    assert {size: batch.count for size, batch in statistics.batches.items()} == {1: 2, 2: 2}
    assert statistics.batches[2].infer_us == 1 + 3
    assert statistics.last_utc_ns == 3


# --- through the serving core ---------------------------------------------------------------------


def slow_by(world: ServingWorld, seconds: float) -> Callable[[Tensors], Tensors]:
    def infer(feeds: Tensors) -> Tensors:
        world.clock.advance(seconds)
        return copy_through(feeds)

    return infer


def test_an_answer_says_where_its_time_went() -> None:
    world = ServingWorld()
    package = timed_package(manifest_of(), slow_by(world, 0.004), package_of().golden, world.clock)
    world.add(LoadedVersion("1", Path("/1"), package, element_us=1e6))
    began_s = world.serving.now_s()
    world.clock.advance(0.001)
    outcomes: list[object] = []

    world.serving.answer(InferRequest("steer", "", "", rows((0.9, 0.1)), began_s=began_s), outcomes.append)
    world.clock.advance(0.002)
    world.lane.run()

    (inferred,) = outcomes
    assert isinstance(inferred, Inferred)
    assert inferred.stages == Stages(queue_us=2000, decode_us=1000, pre_us=0, infer_us=4000, post_us=0)


def test_a_failure_is_counted_with_its_time() -> None:
    world = ServingWorld()

    def failing(feeds: Tensors) -> Tensors:
        world.clock.advance(0.003)
        raise ModelFailed("no")

    version = world.add(version_of("1", failing))
    world.ask()

    assert version.statistics.failed == 1
    assert version.statistics.failed_us == pytest.approx(3000, abs=1)


def test_a_request_that_comes_too_late_does_not_reach_the_model() -> None:
    world = ServingWorld()
    version = world.add(version_of("1"))
    outcomes: list[object] = []

    world.serving.answer(
        InferRequest("steer", "", "", rows((0.9, 0.1)), deadline_s=world.serving.now_s() - 1), outcomes.append
    )

    assert isinstance(outcomes[0], DeadlineExceeded)
    assert (version.statistics.expired, version.statistics.requests) == (1, 0)
    assert world.journal.records == []


def test_a_request_whose_time_passes_in_the_queue_does_not_reach_the_model() -> None:
    world = ServingWorld()
    version = world.add(version_of("1", element_us=1e6))
    outcomes: list[object] = []

    deadline_s = world.serving.now_s() + 1
    world.serving.answer(InferRequest("steer", "", "", rows((0.9, 0.1)), deadline_s=deadline_s), outcomes.append)
    world.lane.expire()
    world.lane.run()

    assert isinstance(outcomes[0], DeadlineExceeded)
    assert len(outcomes) == 1
    assert version.statistics.expired == 1


def test_a_request_that_is_taken_back_is_neither_run_nor_answered() -> None:
    world = ServingWorld()
    version = world.add(version_of("1", element_us=1e6))
    answers = world.ask()
    (ticket,) = world.tickets
    assert ticket is not None

    assert ticket.cancel()
    world.lane.run()

    assert not ticket.cancel()
    assert answers == []
    assert world.journal.records == []
    assert version.statistics.cancelled == 1
