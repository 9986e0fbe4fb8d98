"""What a node does when its own disk has lost what it had committed, or takes nothing more."""

from pathlib import Path

import pytest

from ganglion.core.errors import DiskUnusable, HubUnreachable
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.table import UpdateEffect
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, serving_version_1


def committed_2_after_1(directory: Path) -> Bench:
    """Return a node that has committed 2, has 1 as its spare, and whose serving process has just been killed."""
    bench = Bench(
        directory,
        NodeState(
            desired=a_desired(1, an_assignment("2")),
            models={"meter": ModelState(committed=an_installed("2"), spare=an_installed("1"))},
        ),
    )
    bench.step_until_still()
    bench.serving.die()
    return bench


def test_a_damaged_package_gives_way_to_the_version_before_it_and_is_brought_again(tmp_path: Path) -> None:
    bench = committed_2_after_1(tmp_path)
    bench.serving.refused = bench.effects.damaged = {"2"}
    bench.effects.failing[UpdateEffect.TRUST] = HubUnreachable("the cable is out")

    bench.step_until_still()
    offline = dict(bench.serving.active)
    bench.serving.refused, bench.effects.damaged = set(), set()
    bench.effects.failing.clear()
    bench.clock.advance(60.0)
    bench.step_until_still()

    assert offline == {"meter": "1"}
    assert bench.model.committed == an_installed("2")
    assert bench.serving.active == {"meter": "2"}
    assert bench.event_names() == ["package.damaged", "update.offered", "update.committed"]


def test_a_package_that_is_whole_is_kept_although_serving_refuses_it(tmp_path: Path) -> None:
    bench = committed_2_after_1(tmp_path)
    bench.serving.refused = {"2"}

    bench.run(bench.updates.step)

    assert bench.model.committed == an_installed("2")
    assert bench.event_names() == []


def test_a_node_without_another_version_says_that_none_is_left(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.serving.die()
    bench.serving.refused = bench.effects.damaged = {"1"}

    bench.step_until_still()

    assert bench.model.committed is None
    assert "no version is left" in bench.store.events[-1].reason


def test_a_disk_that_takes_no_file_does_not_keep_the_committed_version_from_answering(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.serving.die()
    bench.disk_is_full = True

    with pytest.raises(DiskUnusable):
        bench.restart_and_step()

    assert bench.serving.active == {"meter": "1"}


def test_a_full_disk_delays_the_way_back_to_a_version_that_the_node_knows(tmp_path: Path) -> None:
    bench = committed_2_after_1(tmp_path)
    bench.step_until_still()
    bench.effects.failing[UpdateEffect.PRECHECK] = DiskUnusable("no room")
    bench.take(a_desired(2, an_assignment("1")))
    bench.step_until_still()
    meanwhile = dict(bench.serving.active)

    bench.effects.failing.clear()
    bench.clock.advance(60.0)
    bench.step_until_still()

    assert meanwhile == {"meter": "2"}
    assert bench.serving.active == {"meter": "1"}
    assert "update.rolled_back" not in bench.event_names()


def test_a_full_disk_ends_the_update_to_a_version_that_the_node_does_not_know(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.effects.failing[UpdateEffect.PRECHECK] = DiskUnusable("no room")

    bench.take(a_desired(2, an_assignment("2")))
    bench.step_until_still()

    assert bench.event_names() == ["update.offered", "update.rolled_back"]
