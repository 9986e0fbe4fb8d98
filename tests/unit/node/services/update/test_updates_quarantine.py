"""What a node does with a committed version that serving does not load any more: it took the process down too often."""

from pathlib import Path

from ganglion.node.domain.update.reconcile import ModelState, NodeState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, serving_version_1


def quarantined_2_after_1(directory: Path) -> Bench:
    """Return a node that has committed 2, has 1 as its spare, and whose serving process does not load 2 again."""
    bench = Bench(
        directory,
        NodeState(
            desired=a_desired(1, an_assignment("2")),
            models={"meter": ModelState(committed=an_installed("2"), spare=an_installed("1"))},
        ),
    )
    bench.step_until_still()
    bench.serving.die()
    bench.serving.quarantined = {"2"}
    return bench


def test_the_version_before_it_answers_and_the_hub_is_told(tmp_path: Path) -> None:
    bench = quarantined_2_after_1(tmp_path)

    bench.step_until_still()

    assert bench.model.committed == an_installed("1")
    assert bench.serving.active == {"meter": "1"}
    assert bench.event_names() == ["version.quarantined"]


def test_the_rollout_that_brought_the_version_is_named_to_its_gate(tmp_path: Path) -> None:
    bench = quarantined_2_after_1(tmp_path)

    bench.step_until_still()

    assert [event.rollout_id for event in bench.store.events] == [an_assignment("2").rollout_id]
    assert an_assignment("2").rollout_id


def test_it_is_not_brought_again_for_the_same_wish(tmp_path: Path) -> None:
    bench = quarantined_2_after_1(tmp_path)
    bench.step_until_still()

    bench.take(a_desired(2, an_assignment("2")))
    bench.step_until_still()

    assert bench.model.update is None
    assert bench.model.failed == an_assignment("2")


def test_a_version_without_one_before_it_stays_committed_and_the_hub_is_told_once(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.serving.die()
    bench.serving.quarantined = {"1"}

    bench.step_until_still()
    bench.step_until_still()

    assert bench.model.committed == an_installed("1")
    assert bench.event_names() == ["version.quarantined"]
