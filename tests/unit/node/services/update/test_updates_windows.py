"""A version that is proven waits for a window of its policy, and nothing that goes back waits for anything."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ganglion.core.errors import NotFound
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.table import UpdateEffect
from ganglion.node.services.update.install_times import InstallTimes
from ganglion.wire.desired import AgentOptions, Assignment, DeploymentPolicy, UpdateState
from unit.node.builders import a_desired, an_assignment, an_installed
from unit.node.update_bench import Bench, healthy

NIGHT = ("daily 22:00-05:00",)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def in_a_window(version: str = "2", windows: tuple[str, ...] = NIGHT, *, shadow: int = 0) -> Assignment:
    policy = DeploymentPolicy(
        probation_s=5.0, inferences_min=10, install_windows=windows, shadow_comparisons_min=shadow, agreement_min=0.0
    )
    return an_assignment(version, policy=policy)


class NightBench(Bench):
    """A node at noon that serves version 1, and knows what the hub's clock says."""

    hub_s: float | None
    zones: dict[str, tzinfo]

    def __init__(self, directory: Path) -> None:
        self.hub_s, self.zones = None, {"": UTC, "Asia/Tokyo": ZoneInfo("Asia/Tokyo")}
        super().__init__(directory, NodeState(models={"meter": ModelState(committed=an_installed("1"))}))
        self.set_clock(NOON)
        self.times = InstallTimes(self.clock, zone=self.zone, hub_time_s=lambda: self.hub_s)
        self.come_back()

    def zone(self, name: str) -> tzinfo:
        if name not in self.zones:
            raise NotFound(f"this machine knows no time zone {name!r}")
        return self.zones[name]

    def come_back(self) -> None:
        self.updates = self.restarted(self.updates.state)
        self.run(self.updates.resume)
        self.step_until_still()

    def set_clock(self, at: datetime) -> None:
        self.clock.jump(at.timestamp() - self.clock.utc_ns() / 1e9)

    def jump_to(self, at: datetime) -> None:
        self.set_clock(at)
        self.clock.advance(5.0)
        self.step_until_still()

    def is_in(self, state: UpdateState) -> bool:
        return self.state_now is state

    @property
    def reason(self) -> str:
        return self.updates.statuses(self.serving.status())[0].reason


@pytest.fixture
def bench(tmp_path: Path) -> NightBench:
    return NightBench(tmp_path)


def staged(bench: NightBench, assignment: Assignment | None = None) -> NightBench:
    bench.take(a_desired(1, assignment or in_a_window()))
    bench.step_until_still()
    assert bench.is_in(UpdateState.STAGED)
    return bench


def test_a_version_is_brought_and_proven_at_once_and_answers_when_its_window_opens(bench: NightBench) -> None:
    staged(bench)
    at_noon = dict(bench.serving.active)

    bench.jump_to(NOON.replace(hour=22))

    assert at_noon == {"meter": "1"}
    assert bench.serving.active == {"meter": "2"}
    assert bench.is_in(UpdateState.PROBATION)


def test_what_waits_says_until_when_and_takes_no_memory(bench: NightBench) -> None:
    staged(bench)

    assert bench.reason == "waits for its window, which opens at 2026-11-23 22:00+00:00"
    assert bench.serving.loaded == {"meter": {"1"}}
    assert not bench.updates.is_under_way


def test_a_window_is_meant_in_the_time_zone_of_the_node(bench: NightBench) -> None:
    # At noon in UTC it is nine in the evening in Tokyo.
    desired = msgspec.structs.replace(a_desired(1, in_a_window()), agent=AgentOptions(time_zone="Asia/Tokyo"))
    bench.take(desired)
    bench.step_until_still()
    assert bench.reason == "waits for its window, which opens at 2026-11-23 22:00+09:00"

    bench.jump_to(NOON.replace(hour=13))

    assert bench.is_in(UpdateState.PROBATION)


@pytest.mark.parametrize("loses_serving", [False, True])
def test_restarts_of_agent_and_machine_change_nothing_for_what_waits(bench: NightBench, *, loses_serving: bool) -> None:
    staged(bench)
    if loses_serving:
        bench.serving.die()

    bench.come_back()

    assert bench.is_in(UpdateState.STAGED)
    assert bench.serving.active == {"meter": "1"}
    bench.jump_to(NOON.replace(hour=23))
    assert bench.is_in(UpdateState.PROBATION)


def test_a_package_that_waited_is_looked_at_again_before_it_is_loaded(bench: NightBench) -> None:
    staged(bench)
    bench.effects.performed.clear()

    bench.jump_to(NOON.replace(hour=22))

    assert bench.effects.performed[:2] == [UpdateEffect.DOWNLOAD, UpdateEffect.LOAD]


def test_a_window_that_closes_before_the_version_can_answer_makes_it_wait_for_the_next(bench: NightBench) -> None:
    staged(bench)
    bench.set_clock(NOON.replace(hour=22))
    bench.clock.advance(5.0)
    bench.run(bench.updates.step)
    assert bench.is_in(UpdateState.DOWNLOADING)

    bench.set_clock(NOON.replace(day=24, hour=6))
    bench.step_until_still()

    assert bench.is_in(UpdateState.STAGED)
    assert bench.serving.active == {"meter": "1"}


@pytest.mark.parametrize("newer", [(), (an_assignment("3"),)], ids=["abort", "a newer version"])
def test_an_abort_or_a_newer_version_drops_what_waits(bench: NightBench, newer: tuple[Assignment, ...]) -> None:
    staged(bench)

    bench.take(a_desired(2, *newer, *([] if newer else [an_assignment("1")])))
    bench.step_until_still()

    assert "update.rolled_back" in bench.event_names()
    assert bench.model.failed is None
    if newer:
        assert bench.serving.active == {"meter": "3"}
    else:
        assert (bench.state_now, bench.serving.active) == (None, {"meter": "1"})


def test_going_back_to_a_version_that_the_node_knows_waits_for_no_window(bench: NightBench) -> None:
    staged(bench)
    bench.jump_to(NOON.replace(hour=22))
    bench.serving.behaviour["2"] = healthy()
    bench.clock.advance(6.0)
    bench.step_until_still()
    assert bench.model.committed == an_installed("2")
    bench.set_clock(NOON.replace(day=24))

    bench.take(a_desired(2, in_a_window("1")))
    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}


def test_a_version_that_fails_its_probation_goes_back_outside_of_any_window(bench: NightBench) -> None:
    staged(bench)
    bench.jump_to(NOON.replace(hour=22))
    failing = healthy()
    for _ in range(50):
        failing.count_error()
    bench.serving.behaviour["2"] = failing
    bench.set_clock(NOON.replace(day=24))

    bench.step_until_still()

    assert bench.serving.active == {"meter": "1"}


@pytest.mark.parametrize(
    ("now", "hub", "why"),
    [
        (datetime(1970, 1, 1, 23, tzinfo=UTC), None, "clock shows 1970-01-01, a day before this release"),
        (NOON.replace(hour=23), NOON, "660 minutes ahead of the hub's"),
        (NOON.replace(day=22, hour=23), NOON, "780 minutes behind the hub's"),
    ],
)
def test_with_a_clock_that_cannot_be_right_it_waits_and_says_why(
    bench: NightBench, now: datetime, hub: datetime | None, why: str
) -> None:
    staged(bench)
    bench.hub_s = hub.timestamp() if hub else None

    bench.jump_to(now)

    assert bench.is_in(UpdateState.STAGED)
    assert why in bench.reason


def test_a_clock_that_jumps_and_comes_back_installs_at_the_right_time(bench: NightBench) -> None:
    staged(bench)
    bench.hub_s = NOON.timestamp()
    bench.jump_to(NOON.replace(hour=23))

    bench.hub_s = NOON.replace(hour=22, minute=1).timestamp()
    bench.jump_to(NOON.replace(hour=22, minute=1))

    assert bench.is_in(UpdateState.PROBATION)


def test_a_zone_that_the_machine_does_not_know_makes_it_wait_and_say_why(bench: NightBench) -> None:
    desired = msgspec.structs.replace(a_desired(1, in_a_window()), agent=AgentOptions(time_zone="Moon/Copernicus"))

    bench.take(desired)
    bench.step_until_still()

    assert bench.is_in(UpdateState.STAGED)
    assert "no time zone 'Moon/Copernicus'" in bench.reason


def test_windows_that_are_over_wait_until_the_hub_says_something_else(bench: NightBench) -> None:
    staged(bench, in_a_window(windows=("2026-11-20",)))
    assert bench.reason == "waits for its window, and none will open any more"

    bench.take(a_desired(2, in_a_window(windows=())))
    bench.step_until_still()

    assert bench.is_in(UpdateState.PROBATION)
    assert bench.event_names().count("update.offered") == 1


def test_the_time_in_the_shadow_is_no_installation_and_is_not_repeated(bench: NightBench) -> None:
    bench.take(a_desired(1, in_a_window(shadow=5)))
    bench.step_until_still()
    in_shadow = bench.state_now
    behaviour = healthy()
    behaviour.count_comparison(50, 50, 100)
    bench.serving.behaviour["1"] = behaviour
    bench.step_until_still()
    waiting = bench.state_now

    bench.jump_to(NOON.replace(hour=22))

    assert (in_shadow, waiting, bench.state_now) == (UpdateState.SHADOW, UpdateState.STAGED, UpdateState.PROBATION)
