from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from ganglion.core.errors import GanglionError, InvalidRequest, NotFound, Overloaded
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import ModelFailed, ModelNotReady
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.answers import Inferred, InferRequest, Outcome
from ganglion.node.services.serving.runs import Package, run
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import RecordClass
from unit.node.serving_builders import ServingWorld, copy_through, package_of, rows, version_of


def raising(error: Exception) -> Callable[[Tensors], Tensors]:
    def infer(feeds: Tensors) -> Tensors:
        raise error

    return infer


def answered(outcomes: list[Outcome]) -> Inferred:
    (outcome,) = outcomes
    assert isinstance(outcome, Inferred), outcome
    return outcome


def refused(outcomes: list[Outcome]) -> GanglionError:
    (outcome,) = outcomes
    assert isinstance(outcome, GanglionError), outcome
    return outcome


@pytest.fixture
def world() -> ServingWorld:
    return ServingWorld()


def test_the_active_version_answers(world: ServingWorld) -> None:
    world.add(version_of("1"))

    outcome = answered(world.ask(rows((0.1, 0.9)), request_id="r1"))

    assert outcome.name.version == "1"
    assert outcome.name.request_id == "r1"
    assert outcome.answer.predictions[0].label == "right"


def test_the_record_is_in_the_journal_before_the_client_has_its_answer(world: ServingWorld) -> None:
    world.add(version_of("1"))
    request = InferRequest("steer", "", "r1", rows((0.9, 0.1)))
    journaled_at_reply: list[str] = []

    world.serving.answer(request, lambda _: journaled_at_reply.extend(r.request_id for r in world.journal.results))

    assert journaled_at_reply == ["r1"]


def test_an_answer_that_cannot_be_recorded_takes_no_other_one_with_it(world: ServingWorld) -> None:
    world.add(version_of("1"))
    broken = version_of("2")
    broken.package = broken_label_package()
    world.add(broken, active=False)
    world.table.switch("steer", "1", compare_with="", compare_share=0.0, beside=("2",))
    world.lane.holds_turns = True

    good, bad, last = world.ask(request_id="r1"), world.ask(request_id="r2", version="2"), world.ask(request_id="r3")
    world.lane.turn()

    assert "cannot be recorded" in refused(bad).message
    assert [answered(each).name.request_id for each in (good, last)] == ["r1", "r3"]
    assert [result.request_id for result in world.journal.results] == ["r1", "r3"]


def test_a_result_says_what_was_answered(world: ServingWorld) -> None:
    world.add(version_of("1"))

    world.ask(rows((0.9, 0.1), (0.2, 0.8)), request_id="r1")

    (result,) = world.journal.results
    assert (result.request_id, result.model, result.version) == ("r1", "steer", "1")
    assert result.labels == ("left", "right")
    assert result.confidences == pytest.approx((0.9, 0.8))
    assert result.error == ""


def test_requests_without_an_id_get_different_ones(world: ServingWorld) -> None:
    world.add(version_of("1"))

    first, second = (answered(world.ask()).name.request_id for _ in range(2))

    assert first
    assert first != second


def test_latency_is_what_the_model_took(world: ServingWorld) -> None:
    def slow(feeds: Tensors) -> Tensors:
        world.clock.advance(0.004)
        return copy_through(feeds)

    world.add(version_of("1", slow))

    world.ask()

    assert world.journal.results[0].latency_us == pytest.approx(4000, abs=1)


def test_an_unknown_model_is_not_found(world: ServingWorld) -> None:
    assert isinstance(refused(world.ask(model="nobody")), NotFound)


def test_a_known_model_without_a_version_is_not_ready(world: ServingWorld) -> None:
    world.table.expect("steer")

    assert isinstance(refused(world.ask()), ModelNotReady)


def test_a_version_that_is_loaded_but_not_proven_answers_nobody(world: ServingWorld) -> None:
    world.add(version_of("1"))
    world.add(version_of("2"), active=False)

    assert isinstance(refused(world.ask(version="2")), ModelNotReady)
    assert isinstance(refused(world.ask(version="3")), NotFound)
    assert answered(world.ask(version="1")).name.version == "1"


@pytest.mark.parametrize(
    "inputs",
    [{"y": np.zeros((1, 2), np.float32)}, {"x": np.zeros((1, 3), np.float32)}, {"x": np.zeros((1, 2), np.int8)}, {}],
)
def test_wrong_inputs_are_refused_and_not_recorded(world: ServingWorld, inputs: Tensors) -> None:
    world.add(version_of("1"))

    assert isinstance(refused(world.ask(inputs)), InvalidRequest)
    assert world.journal.records == []


def test_an_output_that_the_model_does_not_have_is_refused_before_it_runs(world: ServingWorld) -> None:
    world.add(version_of("1", raising(AssertionError("it ran"))))

    assert "nonsense" in refused(world.ask(output="nonsense")).message


def test_an_endless_request_id_is_refused(world: ServingWorld) -> None:
    world.add(version_of("1"))

    assert isinstance(refused(world.ask(request_id="x" * 257)), InvalidRequest)


@pytest.mark.parametrize(
    "error", [ModelFailed("bad"), InvalidRequest("graph says no"), ValueError("shape"), KeyError(1)]
)
def test_a_model_that_fails_on_inputs_it_declares_is_recorded_as_failed(world: ServingWorld, error: Exception) -> None:
    version = world.add(version_of("1", raising(error)))

    assert isinstance(refused(world.ask()), ModelFailed)
    assert world.journal.results[0].error == "model_failed"
    assert (version.behaviour.requests, version.behaviour.errors) == (1, 1)


def test_an_answer_that_cannot_be_recorded_is_not_given(world: ServingWorld) -> None:
    version = version_of("1")
    version.package = broken_label_package()
    world.add(version)

    assert "cannot be recorded" in refused(world.ask()).message
    assert version.behaviour.errors == 1


def broken_label_package() -> Package:
    package = package_of("1")
    manifest = msgspec.structs.replace(package.pipeline.manifest, labels=("\ud800", "\udfff"))
    return Package(Pipeline(manifest, copy_through), package.golden)


def test_an_output_that_no_protocol_can_carry_is_a_failure_of_the_model(clock: FakeClock) -> None:
    package = package_of("1", lambda _: {"probabilities": np.array([["a", "b"]])})

    result = run(package, rows((0.5, 0.5)), clock)

    assert isinstance(result.outcome, ModelFailed)


def test_a_failed_model_answers_the_next_request(world: ServingWorld) -> None:
    answers = iter([ModelFailed("once"), None])

    def moody(feeds: Tensors) -> Tensors:
        error = next(answers)
        if error:
            raise error
        return copy_through(feeds)

    world.add(version_of("1", moody))

    refused(world.ask())
    answered(world.ask())


def test_behaviour_counts_what_the_version_answered(world: ServingWorld) -> None:
    version = world.add(version_of("1"))

    world.ask(rows((0.9, 0.1), (0.2, 0.8)))

    assert version.behaviour.requests == 1
    assert version.behaviour.classes == {"left": 1, "right": 1}


def test_work_that_takes_long_waits_in_the_lane(world: ServingWorld) -> None:
    world.add(version_of("1", element_us=99.0))

    short, long = world.ask(rows((0.9, 0.1))), world.ask(rows((0.9, 0.1), (0.9, 0.1)))

    assert len(short) == 1
    assert long == []
    world.lane.run()
    answered(long)


def test_a_full_lane_is_overload_and_no_record(world: ServingWorld) -> None:
    world.add(version_of("1", element_us=1e6))
    waiting = [world.ask() for _ in range(3)]

    assert isinstance(refused(world.ask()), Overloaded)
    world.lane.run()
    assert [answered(outcomes).name.version for outcomes in waiting] == ["1"] * 3
    assert len(world.journal.results) == 3


def test_requests_keep_the_version_that_took_them(world: ServingWorld) -> None:
    world.add(version_of("1", element_us=1e6))
    waiting = world.ask()

    world.add(version_of("2"))
    world.lane.run()

    assert answered(waiting).name.version == "1"
    assert answered(world.ask()).name.version == "2"


def test_a_full_journal_never_fails_a_request() -> None:
    world = ServingWorld(collection=CollectionSettings(confidence_below=1.1))
    world.journal.is_full = True
    world.add(version_of("1"))

    answered(world.ask())

    assert world.serving.shed() == {"result": 1, "sample": 1}


def test_an_uncertain_input_is_kept_as_the_client_sent_it() -> None:
    world = ServingWorld(collection=CollectionSettings(confidence_below=0.7, random_share=0.0))
    world.add(version_of("1"))

    world.ask(rows((0.9, 0.1), (0.55, 0.45)), request_id="r1")

    (sample,) = world.journal.samples
    assert (sample.request_id, sample.label, sample.reason) == ("r1", "left", "low_confidence")
    assert sample.inputs["x"].shape == (1, 2)
    assert sample.inputs["x"].datatype == "FP32"
    assert np.frombuffer(sample.inputs["x"].data, "<f4") == pytest.approx([0.55, 0.45])


def test_samples_stop_when_the_budget_is_spent() -> None:
    world = ServingWorld(collection=CollectionSettings(confidence_below=1.1, bytes_per_hour=800))
    world.add(version_of("1"))

    for _ in range(50):
        world.ask()

    size = sum(len(payload) for kind, payload in world.journal.records if kind is RecordClass.SAMPLE)
    assert 200 < size <= 400


def test_inputs_that_somebody_asked_for_are_kept_and_then_no_more() -> None:
    world = ServingWorld(collection=CollectionSettings(confidence_below=0.0, random_share=0.0))
    world.add(version_of("1"))
    world.ask(request_id="before")

    world.recorder.request(2)
    for number in range(4):
        world.ask(request_id=f"r{number}")

    assert [(each.request_id, each.reason) for each in world.journal.samples] == [
        ("r0", "requested"),
        ("r1", "requested"),
    ]


def test_what_is_asked_for_stays_within_the_budget() -> None:
    world = ServingWorld(collection=CollectionSettings(confidence_below=0.0, random_share=0.0, bytes_per_hour=0))
    world.add(version_of("1"))

    world.recorder.request(2)
    world.ask()

    assert world.journal.samples == []
