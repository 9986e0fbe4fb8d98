"""What a node is said to run, from what it stored and what serving tells."""

from ganglion.entrypoints.diagnosis.findings import served_models
from ganglion.entrypoints.diagnosis.standing import models_here
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.table import Update
from ganglion.ports.serving_control import ModelServing, ServingStatus
from ganglion.wire.desired import UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed


def serving(**models: ModelServing) -> ServingStatus:
    return ServingStatus(instance="i1", models=models)


def test_a_version_under_way_is_told_beside_the_one_that_answers() -> None:
    wish = an_assignment("2")
    update = Update(assignment=wish, state=UpdateState.PROBATION, reason="3 of 50 answers")
    state = NodeState(
        desired=a_desired(1, wish), models={"meter": ModelState(committed=an_installed("1"), update=update)}
    )

    (here,) = models_here(state, serving(meter=ModelServing("2", ("1", "2"), {})))

    assert (here.answers, here.committed, here.wanted) == ("2", "1", "2")
    assert (here.update, here.reason) == ("2: probation", "3 of 50 answers")


def test_what_was_taken_back_says_why_and_what_the_hub_still_wants() -> None:
    failed = ModelState(committed=an_installed("1"), failed=an_assignment("2"), failed_reason="golden inputs differ")
    state = NodeState(desired=a_desired(1, an_assignment("2")), models={"meter": failed})

    (here,) = models_here(state, serving(meter=ModelServing("1", ("1",), {})))

    assert (here.answers, here.wanted, here.reason) == ("1", "2", "2 was taken back: golden inputs differ")


def test_versions_that_share_the_requests_are_told_with_their_shares() -> None:
    shared = ModelServing("1", ("1", "2"), {}, weights={"1": 0.8, "2": 0.2})

    (here,) = models_here(NodeState(), serving(meter=shared))

    assert here.answers == "1=80%+2=20%"


def test_without_serving_no_version_answers_and_the_committed_one_is_told() -> None:
    (here,) = models_here(NodeState(models={"meter": ModelState(committed=an_installed("1"))}), None)

    assert (here.answers, here.committed) == ("", "1")


def test_the_empty_place_of_a_model_that_was_withdrawn_is_missed_by_nobody() -> None:
    left = serving(meter=ModelServing("", (), {}))

    assert served_models(NodeState(), left) == {}
    assert list(models_here(NodeState(), left)) == []


def test_a_model_that_is_wanted_and_has_no_version_yet_is_told() -> None:
    state = NodeState(models={"meter": ModelState()})

    assert list(served_models(state, serving(meter=ModelServing("", (), {})))) == ["meter"]
