from pathlib import Path

import msgspec
import numpy as np
import pytest

from ganglion.core.pipeline import Infer, Pipeline
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.versions import LoadedVersion
from unit.node.serving_builders import ServingWorld, manifest_of, package_of, rows, version_of


def turned(feeds: Tensors) -> Tensors:
    return {"probabilities": feeds["x"][:, ::-1]}


def failing(feeds: Tensors) -> Tensors:
    raise ModelFailed("no")


@pytest.fixture
def world() -> ServingWorld:
    return ServingWorld()


def copied(feeds: Tensors) -> Tensors:
    return {"probabilities": feeds["x"]}


def without_labels(name: str, infer: Infer = copied) -> LoadedVersion:
    """Return a version that answers with numbers only."""
    manifest = msgspec.structs.replace(manifest_of(name), labels=(), prediction=None)
    package = package_of(name)
    bare = msgspec.structs.replace(package, pipeline=Pipeline(manifest, infer))
    return LoadedVersion(name, Path(f"/packages/{name}"), bare, element_us=1.0)


def switch_from(world: ServingWorld, previous: LoadedVersion, candidate: LoadedVersion) -> LoadedVersion:
    world.add(previous)
    return world.add(candidate, compare_with=previous.name)


def test_the_previous_version_is_asked_only_after_the_client_has_its_answer(world: ServingWorld) -> None:
    asked: list[str] = []

    def previous(feeds: Tensors) -> Tensors:
        asked.append("previous")
        return turned(feeds)

    switch_from(world, version_of("1", previous), version_of("2"))

    answers = world.ask()

    assert len(answers) == 1
    assert asked == []
    world.lane.run()
    assert asked == ["previous"]


def test_a_comparison_counts_rows_with_equal_labels(world: ServingWorld) -> None:
    def half_turned(feeds: Tensors) -> Tensors:
        scores = feeds["x"].copy()
        scores[0] = scores[0, ::-1]
        return {"probabilities": scores}

    candidate = switch_from(world, version_of("1", half_turned), version_of("2"))

    world.ask(rows((0.9, 0.1), (0.2, 0.8)), request_id="r1")
    world.lane.run()

    (record,) = world.journal.comparisons
    assert (record.request_id, record.version, record.compared_with) == ("r1", "2", "1")
    assert (record.compared, record.agreed) == (2, 1)
    assert len(record.confidences) == 2
    assert candidate.behaviour.agreement == 0.5


def test_the_previous_versions_own_counts_do_not_change(world: ServingWorld) -> None:
    previous = version_of("1")
    switch_from(world, previous, version_of("2"))

    world.ask()
    world.lane.run()

    assert previous.behaviour.requests == 0
    assert previous.statistics.requests == 0


def test_at_most_a_few_comparisons_wait(world: ServingWorld) -> None:
    candidate = switch_from(world, version_of("1"), version_of("2"))

    for _ in range(20):
        world.ask()
    world.lane.run()

    assert candidate.behaviour.requests == 20
    assert candidate.behaviour.compared == 4


def test_a_slow_previous_version_is_asked_in_the_lane_and_only_when_it_is_free(world: ServingWorld) -> None:
    candidate = switch_from(world, version_of("1", element_us=1e6), version_of("2"))

    world.ask()
    world.ask()
    waiting = world.lane.waiting
    world.lane.run()

    assert waiting == 1
    assert candidate.behaviour.compared == 1


def test_a_previous_version_that_fails_is_no_evidence(world: ServingWorld) -> None:
    candidate = switch_from(world, version_of("1", failing), version_of("2"))

    world.ask()
    world.lane.run()

    assert candidate.behaviour.compared == 0
    assert candidate.behaviour.compared_failed == 1
    assert world.journal.comparisons == []


def test_versions_without_labels_agree_when_their_answers_have_the_same_form(world: ServingWorld) -> None:
    previous = without_labels("1", turned)
    candidate = switch_from(world, previous, without_labels("2"))

    world.ask(rows((0.9, 0.1), (0.2, 0.8)))
    world.lane.run()

    assert (candidate.behaviour.compared, candidate.behaviour.agreed) == (1, 1)
    assert candidate.behaviour.compared_latency_us.count == 1


def test_an_answer_without_labels_that_is_no_number_disagrees(world: ServingWorld) -> None:
    def broken(feeds: Tensors) -> Tensors:
        return {"probabilities": np.full_like(feeds["x"], np.nan)}

    active = switch_from(world, without_labels("1", broken), without_labels("2"))

    world.ask()
    world.lane.run()

    assert (active.behaviour.compared, active.behaviour.agreed) == (1, 0)


def test_a_request_that_the_new_version_failed_is_not_compared(world: ServingWorld) -> None:
    switch_from(world, version_of("1"), version_of("2", failing))

    world.ask()
    world.lane.run()

    assert world.journal.comparisons == []
    assert world.journal.results[0].error == "model_failed"


def test_only_a_share_of_requests_is_compared(world: ServingWorld) -> None:
    world.add(version_of("1"))
    candidate = world.add(version_of("2"))
    world.table.switch("steer", "2", compare_with="1", compare_share=0.25)

    for _ in range(400):
        world.ask()
        world.lane.run()

    assert 60 < candidate.behaviour.compared < 140


def test_without_a_version_to_compare_with_nothing_is_compared(world: ServingWorld) -> None:
    world.add(version_of("1"))
    world.add(version_of("2"))

    world.ask()
    world.lane.run()

    assert world.journal.comparisons == []


def test_an_unloaded_version_is_not_asked_any_more(world: ServingWorld) -> None:
    switch_from(world, version_of("1"), version_of("2"))
    world.table.remove("steer", "1")

    world.ask(rows((0.9, 0.1)))
    world.lane.run()

    assert world.journal.comparisons == []


def test_versions_with_different_inputs_are_not_compared(world: ServingWorld) -> None:
    previous = version_of("1")
    switch_from(world, previous, version_of("2"))
    previous.pipeline.check = lambda inputs: type(previous.pipeline).check(previous.pipeline, {"y": np.zeros(1)})  # type: ignore[method-assign]  # a version of another shape

    world.ask()
    world.lane.run()

    assert world.journal.comparisons == []


def test_where_versions_share_the_requests_only_those_of_the_active_one_are_compared(world: ServingWorld) -> None:
    control, challenger = version_of("1"), version_of("2")
    switch_from(world, challenger, control)
    world.table.switch("steer", "1", compare_with="2", compare_share=1.0, weights={"1": 0.5, "2": 0.5})

    for _ in range(40):
        world.ask()
        world.lane.run()

    assert control.behaviour.compared == control.behaviour.requests > 0
    assert challenger.behaviour.compared == 0
    assert control.behaviour.requests + challenger.behaviour.requests == 40
