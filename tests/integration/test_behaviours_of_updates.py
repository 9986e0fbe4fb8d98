"""What an update promises, told with the real update machine over a fake serving process."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attacks.hostile_hub import Hub, Node, hostile_hub
from ganglion.core.errors import GanglionError, HubUnreachable
from ganglion.core.trust_errors import MetadataStale
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.table import UpdateEffect
from ganglion.wire.desired import DeploymentPolicy, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, healthy, serving_version_1

HOUR_S = 3600.0
SOAK = DeploymentPolicy(probation_s=300.0, inferences_min=10, compared_min=20, agreement_min=0.9)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hostile_hub(tmp_path / "tls") as running:
        yield running


def unplug(bench: Bench, error: GanglionError) -> None:
    """Let nothing of the hub be reached any more."""
    bench.effects.failing[UpdateEffect.TRUST] = bench.effects.failing[UpdateEffect.DOWNLOAD] = error


def test_behaviour_05_a_version_that_crashes_serving_is_given_up_until_the_hub_wants_something_else(
    tmp_path: Path,
) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    for _ in range(2):
        bench.step_until_still()
        bench.serving.die()
    bench.step_until_still()
    assert bench.serving.active == {"meter": "1"}

    bench.take(a_desired(2, an_assignment("2")))
    bench.step_until_still()
    assert bench.model.update is None, "the same wish again changes nothing"

    bench.take(a_desired(3, an_assignment("2", rollout="again")))
    bench.step_until_still()
    assert bench.state_now is UpdateState.PROBATION


def test_behaviour_06_a_version_that_breaks_a_limit_in_minute_3_of_5_rolls_back_without_a_network(
    tmp_path: Path,
) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2", policy=SOAK)))
    bench.step_until_still()
    unplug(bench, HubUnreachable("no route"))
    bench.serving.behaviour["2"] = healthy()
    bench.clock.advance(120.0)
    bench.step_until_still()
    assert bench.state_now is UpdateState.PROBATION

    bench.clock.advance(60.0)
    bench.serving.behaviour["2"].count_comparison(compared=40, agreed=20, latency_us=100)
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}
    told = bench.store.events[-1]
    assert (told.name, "agreement" in told.reason) == ("update.rolled_back", True), "it waits in the outbox"


def test_behaviour_07_a_good_version_whose_link_drops_commits_and_serves_for_48_hours(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    bench.step_until_still()
    unplug(bench, HubUnreachable("no route"))

    bench.serving.behaviour["2"] = healthy()
    for _ in range(48):
        bench.clock.advance(HOUR_S)
        bench.step_until_still()

    assert bench.model.committed == an_installed("2")
    assert bench.serving.active == {"meter": "2"}
    assert bench.files[-1].models["meter"].version == "2"


def test_behaviour_08_a_start_without_network_and_with_a_wrong_clock_serves_what_is_known_good(tmp_path: Path) -> None:
    bench = serving_version_1(tmp_path)
    bench.take(a_desired(1, an_assignment("2")))
    unplug(bench, MetadataStale("timestamp 7 expired"))
    bench.step_until_still()

    bench.clock.jump(-50 * 365 * 24 * HOUR_S)
    bench.serving.die()
    bench.restart_and_step()

    assert bench.serving.active == {"meter": "1"}


def test_behaviour_09_twenty_cuts_and_five_restarts_move_hardly_more_than_the_package(hub: Hub, tmp_path: Path) -> None:
    content = bytes(range(253)) * 20_000
    node, assignment = Node(hub, tmp_path / "node"), hub.release(content=content)
    sent: list[int] = []
    hub.send[f"{assignment.sha256}.fp32.ganglion"] = lambda out, body: sent.append(
        out.write(body[: len(content) // 20])
    )
    node.check(assignment)

    for attempt in range(30):
        if attempt % 4 == 3:
            node.start()
        try:
            brought = node.bring(assignment)
            break
        except HubUnreachable:
            continue

    assert brought == content
    assert len(sent) >= 20
    assert sum(sent) <= 1.05 * len(content)


def test_behaviour_09_an_update_that_the_hub_calls_back_stops_its_download(hub: Hub, tmp_path: Path) -> None:
    node, assignment = Node(hub, tmp_path / "node"), hub.release()
    node.check(assignment)
    asked: list[bool] = []

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) < 3

    with pytest.raises(GanglionError) as ended:
        node.link.download(assignment, node.package, is_wanted=is_wanted)

    assert ended.value.code == "withdrawn"
    assert 0 < node.part.stat().st_size < assignment.size_bytes
    assert node.bring(assignment), "what was brought is not lost, should it be wanted again"


def test_known_good_and_spare_stay_on_the_disk_and_everything_before_them_goes(tmp_path: Path) -> None:
    packages = {name: tmp_path / "packages" / "meter" / name for name in ("known-good", "spare", "before")}
    downloads = [tmp_path / "downloads" / f"{'f' * 64}.{kind}" for kind in ("part", "doubt", "ganglion")]
    for directory in (*packages.values(), tmp_path / "downloads"):
        directory.mkdir(parents=True)
    for file in downloads:
        file.touch()
    installed = {name: msgspec.structs.replace(an_installed("1"), path=str(path)) for name, path in packages.items()}
    model = ModelState(committed=installed["known-good"], spare=installed["spare"])

    Bench(tmp_path, NodeState(models={"meter": model})).step_until_still()

    assert {path.name for path in (tmp_path / "packages" / "meter").iterdir()} == {"known-good", "spare"}
    assert list((tmp_path / "downloads").iterdir()) == []
