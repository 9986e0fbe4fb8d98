"""What lies on the disk of a node while its updates go on: nothing is removed that somebody writes at the time."""

from pathlib import Path

import msgspec
import pytest

from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.services.places import Places
from ganglion.ports.serving_control import Command, Reply, Switch
from ganglion.wire.desired import DeploymentPolicy, DesiredState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, FakeServing, serving_version_1


def test_what_is_being_unpacked_is_left_alone_until_that_has_ended(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    place = Places(tmp_path).package(an_assignment("2"))
    unpacked = place.parent / f".{place.name}.partial"

    (claimed,) = bench.updates.claim_due()
    unpacked.mkdir(parents=True)
    bench.run(bench.updates.keep_house)
    kept = unpacked.exists()
    bench.run(lambda: bench.updates.drive(claimed))
    bench.run(bench.updates.keep_house)

    assert (kept, unpacked.exists()) == (True, False)


def a_bench_that_gave_up_version_2(directory: Path) -> Bench:
    """Return a bench whose serving process has just died with version 2 for the last time."""
    bench = serving_version_1(directory)
    bench.take(a_desired(1, an_assignment("2")))
    for _ in range(2):
        bench.step_until_still()
        Places(directory).package(an_assignment("2")).mkdir(parents=True, exist_ok=True)
        bench.serving.die()
    return bench


def let_the_hub_speak(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, desired: DesiredState, during: type[Switch]
) -> None:
    """Let a newer wish be stored while serving is being told something."""
    call = FakeServing.call

    async def interrupted(serving: FakeServing, command: Command, *, timeout_s: float) -> Reply:
        if isinstance(command, during):
            await bench.updates.take(desired)
        return await call(serving, command, timeout_s=timeout_s)

    monkeypatch.setattr(FakeServing, "call", interrupted)


def test_a_package_that_is_wanted_again_while_serving_goes_back_from_it_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = a_bench_that_gave_up_version_2(tmp_path)
    again = an_assignment("2", policy=DeploymentPolicy(attempt=1))
    let_the_hub_speak(bench, monkeypatch, a_desired(2, again), Switch)

    bench.run(bench.updates.keep_house)

    assert bench.model.update is not None, "it is wanted again"
    assert Places(tmp_path).package(again).exists()


def test_a_package_that_is_wanted_no_more_stays_until_serving_has_let_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Places(tmp_path).packages / "meter" / "1"
    package.mkdir(parents=True)
    installed = msgspec.structs.replace(an_installed("1"), path=str(package))
    bench = Bench(tmp_path, NodeState(models={"meter": ModelState(committed=installed)}))
    let_the_hub_speak(bench, monkeypatch, a_desired(1), Switch)

    bench.run(bench.updates.keep_house)
    while_it_answers = (dict(bench.serving.active), bench.updates.state.models, package.exists())
    bench.step_until_still()

    assert while_it_answers == ({"meter": "1"}, {}, True)
    assert bench.serving.loaded == {"meter": set()}
    assert not package.exists()
