"""Requests that build on each other, to a model whose file holds state."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.steps import Tensors
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.services.serving.answers import Inferred, InferRequest
from ganglion.node.services.serving.runs import timed_package
from ganglion.node.services.serving.versions import LoadedVersion
from unit.node.serving_builders import ServingWorld, manifest_of, package_of, rows


class Summing:
    """An engine whose answers are the sum of what it was asked."""

    def __init__(self, *, forget: bool) -> None:
        self._forget = forget
        self._sum = np.zeros((1, 2), np.float32)

    def infer(self, feeds: Tensors) -> Tensors:
        self._sum = feeds["x"] if self._forget else self._sum + feeds["x"]
        return {"probabilities": self._sum}


def stateful(world: ServingWorld, version: str = "1", *, element_us: float = 1.0) -> LoadedVersion:
    engine, golden = Summing(forget=True), package_of(version).golden
    package = timed_package(
        manifest_of(version), engine.infer, golden, world.clock, open_sequence=lambda: Summing(forget=False)
    )
    return LoadedVersion(version, Path(f"/{version}"), package, element_us=element_us)


@pytest.fixture
def world() -> ServingWorld:
    return ServingWorld()


def ask(world: ServingWorld, place: SequencePlace | None, number: float = 1.0) -> Callable[[], float]:
    """Send a request; the result tells the first number of its answer, or raises its error."""
    outcomes: list[Inferred | GanglionError] = []
    world.serving.answer(InferRequest("steer", "", "", rows((number, number)), place=place), outcomes.append)

    def answer() -> float:
        [outcome] = outcomes
        if isinstance(outcome, GanglionError):
            raise outcome
        return float(outcome.answer.outputs["probabilities"][0, 0])

    return answer


def first(name: str) -> SequencePlace:
    return SequencePlace(name, is_first=True)


def test_requests_of_a_sequence_go_on_and_others_do_not(world: ServingWorld) -> None:
    world.add(stateful(world))

    answers = [ask(world, place)() for place in (first("a"), None, SequencePlace("a"), first("b"), SequencePlace("a"))]

    assert answers == [1.0, 1.0, 2.0, 1.0, 3.0]


def test_after_the_last_request_a_sequence_is_unknown(world: ServingWorld) -> None:
    world.add(stateful(world))
    ask(world, first("a"))()
    ask(world, SequencePlace("a", is_last=True))()

    with pytest.raises(InvalidRequest, match="'a' is not open"):
        ask(world, SequencePlace("a"))()


def test_requests_that_wait_for_the_thread_keep_their_sequence(world: ServingWorld) -> None:
    world.add(stateful(world, element_us=1e6))
    answers = [ask(world, place) for place in (first("a"), SequencePlace("a"), SequencePlace("a", is_last=True))]

    world.lane.run()

    assert [answer() for answer in answers] == [1.0, 2.0, 3.0]


def test_a_last_request_that_was_taken_back_leaves_the_sequence_open(world: ServingWorld) -> None:
    world.add(stateful(world, element_us=1e6))
    ask(world, first("a"))
    world.lane.run()
    request = InferRequest("steer", "", "", rows((1, 1)), place=SequencePlace("a", is_last=True))
    ticket = world.serving.answer(request, lambda _: None)
    assert ticket is not None

    ticket.cancel()
    again = ask(world, SequencePlace("a", is_last=True))
    world.lane.run()

    assert again() == 2.0


def test_a_new_version_knows_none_of_the_old_ones_sequences(world: ServingWorld) -> None:
    world.add(stateful(world, "1"))
    ask(world, first("a"))()
    world.add(stateful(world, "2"))

    with pytest.raises(InvalidRequest, match="'a' is not open"):
        ask(world, SequencePlace("a"))()


def test_requests_of_a_sequence_are_not_compared_with_the_previous_version(world: ServingWorld) -> None:
    world.add(stateful(world, "1"), active=False)
    world.add(stateful(world, "2"), compare_with="1")

    ask(world, first("a"))()
    world.lane.run()

    assert world.journal.comparisons == []


def test_a_model_without_state_takes_no_notice_of_sequences(world: ServingWorld) -> None:
    world.add(LoadedVersion("1", Path("/1"), package_of(), element_us=1.0))

    assert ask(world, SequencePlace("a"), 0.5)() == 0.5
