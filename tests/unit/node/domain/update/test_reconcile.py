import msgspec
import pytest

from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.table import Update, UpdateEvent
from ganglion.wire.desired import DeploymentPolicy, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed


def test_a_higher_revision_is_newer_and_the_same_is_not() -> None:
    held = a_desired(5)

    assert reconcile.is_newer(a_desired(6), held)
    assert not reconcile.is_newer(a_desired(5), held)
    assert not reconcile.is_newer(a_desired(4), held)


def test_a_restored_hub_is_believed_although_its_revisions_are_lower() -> None:
    held = a_desired(500, incarnation="before")

    assert reconcile.is_newer(a_desired(1, incarnation="after"), held)


def test_an_assignment_begins_an_update() -> None:
    model = ModelState(committed=an_installed("1"))

    after = reconcile.begin(model, an_assignment("2"))

    assert after.update == Update(assignment=an_assignment("2"))


def test_the_committed_version_is_left_alone() -> None:
    model = ModelState(committed=an_installed("2"))

    assert reconcile.begin(model, an_assignment("2")) is model


def test_a_version_that_failed_is_not_tried_again_until_the_hub_wants_something_else() -> None:
    model = ModelState(committed=an_installed("1"), failed=an_assignment("2", rollout="r2"))

    assert reconcile.begin(model, an_assignment("2", rollout="r2")).update is None
    assert reconcile.begin(model, an_assignment("2", rollout="r3")).update is not None


def test_a_version_that_failed_is_tried_again_when_the_hub_gives_it_anew_in_the_same_rollout() -> None:
    failed = an_assignment("2", rollout="r2")
    again = msgspec.structs.replace(failed, policy=msgspec.structs.replace(failed.policy, attempt=1))

    tried = reconcile.begin(ModelState(committed=an_installed("1"), failed=failed), again).update
    tried_twice = reconcile.begin(ModelState(committed=an_installed("1"), failed=again), again).update

    assert tried is not None
    assert tried.assignment == again
    assert tried_twice is None


def test_an_update_under_way_is_withdrawn_when_the_hub_changes_its_mind() -> None:
    model = ModelState(committed=an_installed("1"), update=Update(assignment=an_assignment("2")))

    after = reconcile.begin(model, an_assignment("3"))

    assert after.update is not None
    assert after.update.state is UpdateState.ROLLED_BACK
    assert "wants 3 now" in after.update.reason


@pytest.mark.parametrize("state", [UpdateState.OFFERED, UpdateState.PRECHECKED])
def test_before_it_is_checked_an_update_goes_on_with_the_newest_word_for_the_same_bytes(state: UpdateState) -> None:
    held = msgspec.structs.replace(an_assignment("2"), statement=b"old", statement_key="old")
    newest = msgspec.structs.replace(an_assignment("2"), statement=b"new", statement_key="new")
    model = ModelState(committed=an_installed("1"), update=Update(assignment=held, state=state, starts=1))

    after = reconcile.begin(model, newest)

    assert after.update == Update(assignment=newest, state=state, starts=1)


@pytest.mark.parametrize("state", [UpdateState.DOWNLOADING, UpdateState.SHADOW, UpdateState.PROBATION])
def test_what_was_checked_is_not_replaced_by_a_word_that_was_not(state: UpdateState) -> None:
    loose = an_assignment("2", policy=DeploymentPolicy(probation_s=0.0, inferences_min=0))
    model = ModelState(committed=an_installed("1"), update=Update(assignment=an_assignment("2"), state=state))

    assert reconcile.begin(model, loose) == model


def test_going_back_to_the_spare_version_is_known_not_new() -> None:
    model = ModelState(committed=an_installed("2"), spare=an_installed("1"))

    after = reconcile.begin(model, an_assignment("1"))

    assert after.update is not None
    assert after.update.was_committed


def test_a_known_version_that_was_taken_back_before_is_tried_like_one_that_is_not_known() -> None:
    model = ModelState(committed=an_installed("1"), spare=an_installed("2"))

    after = reconcile.begin(model, an_assignment("2", rollout="again", policy=DeploymentPolicy(anew=True)))

    assert after.update is not None
    assert not after.update.was_committed


def test_a_commit_keeps_the_version_before_as_the_spare() -> None:
    model = ModelState(committed=an_installed("1"), spare=an_installed("0"))

    after = reconcile.commit(model, an_installed("2"))

    assert (after.committed, after.spare) == (an_installed("2"), an_installed("1"))


def test_a_roll_back_leaves_the_committed_version_and_remembers_what_failed() -> None:
    failed = Update(assignment=an_assignment("2")).after(UpdateEvent.FAILED, reason="golden inputs")
    model = ModelState(committed=an_installed("1"), update=failed)

    after = reconcile.settle(model)

    assert after.committed == an_installed("1")
    assert (after.update, after.failed, after.failed_reason) == (None, an_assignment("2"), "golden inputs")
