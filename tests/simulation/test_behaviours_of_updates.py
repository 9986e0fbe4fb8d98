"""Behaviours 5 and 6 of the platform, each with a thousand machines of the simulated world, which runs what ships."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import pytest

from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.world.device import Device
from ganglion.testing.world.habits import Habit
from ganglion.testing.world.hub import MODEL, ROLLED_BACK
from ganglion.testing.world.scenario import Devices, Rates, Scenario
from ganglion.testing.world.world import World
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

T = TypeVar("T")
NODES, SITES = 1000, 20
START_ATTEMPTS = 2
LOST = f"the serving process was lost {START_ATTEMPTS} times with this version"
MINUTE_S = 60.0
SOURS_S = 3 * MINUTE_S
LIMITS = ProbationSettings(probation_s=5 * MINUTE_S, agreement_min=0.9, error_rate_max=0.05, latency_ratio_max=3.0)
PATIENT = GateSettings(rollback_share_max=1.0, deadline_s=86_400.0)
"""Whatever the machines tell, the hub goes on wanting the version."""


class Fleet:
    """A thousand machines that serve version 1, and what a test does with them, each thing at its time."""

    def __init__(self, *, hours: float) -> None:
        devices, rates = Devices(nodes=NODES, sites=SITES), Rates(flush_s=15 * MINUTE_S)
        self.world = World(Scenario(hours=hours, devices=devices, rates=rates, settle_h=0.5), seed=1)
        self.world.releases = ()
        self.rollout_id = ""

    def at(self, minute: float, act: Callable[[], None]) -> None:
        """Plan an act of the test."""
        self.world.agenda.at(minute * MINUTE_S, act)

    def roll_out(self, habit: Habit, *, gate: GateSettings = GateSettings()) -> None:  # noqa: B008 - it is a value
        """Give a version that has this habit to every machine at once."""
        hub = self.world.hub
        hub.release(MODEL, "2", self.world.scenario.model_bytes)
        hub.habits["2"] = habit
        request = RolloutRequest(model=MODEL, version="2", stages=["100%"], gate=gate, probation=LIMITS)
        self.rollout_id = hub.rollouts.start(request, actor="ada").rollout_id

    def seen(self, look: Callable[[Device], T]) -> dict[T, int]:
        """Count what a look at every machine finds."""
        return dict(Counter(look(device) for device in self.world.devices))

    @property
    def node_ids(self) -> list[str]:
        """Return who is in it."""
        return list(self.world.hub.control.tables.nodes)

    def told(self) -> list[EventRow]:
        """Return what the hub knows of attempts that ended without a commit."""
        events = self.world.hub.telemetry.by_rollout.get(self.rollout_id, [])
        return [event for event in events if event.name == ROLLED_BACK]


def answering(device: Device) -> str:
    return ",".join(sorted(device.active.get(MODEL, ())))


def on_trial(device: Device) -> str:
    update = device.model.update
    return update.state.value if update else ""


def given_up(device: Device) -> str:
    failed = device.model.failed
    return failed.version if failed else ""


def test_behaviour_05_a_version_that_crashes_serving_at_load_is_abandoned_until_the_hub_wants_something_else() -> None:
    fleet = Fleet(hours=2.0)
    hub = fleet.world.hub
    found: dict[str, dict[tuple[int, str, str], int]] = {}

    def trouble() -> None:
        hub.restart()
        for device in fleet.world.devices:
            device.kill_agent(30.0)
        with hub.control.write() as tx:
            tx.set_revision(fleet.node_ids, tx.next_revision())

    def retry() -> None:
        hub.rollouts.retry(fleet.rollout_id, actor="ada", reason="one more time")

    def look(when: str) -> None:
        found[when] = fleet.seen(lambda device: (device.serving_starts, answering(device), on_trial(device)))

    fleet.at(1, lambda: fleet.roll_out(Habit(crashes_at_load=True), gate=PATIENT))
    fleet.at(20, lambda: look("abandoned"))
    fleet.at(30, trouble)
    fleet.at(100, lambda: look("an hour later"))
    fleet.at(101, retry)
    fleet.at(120, lambda: look("wanted anew"))
    outcome = fleet.world.run()

    assert found["abandoned"] == {(START_ATTEMPTS, "1", ""): NODES}
    assert found["an hour later"] == found["abandoned"], "a start of the agent and another revision change nothing"
    assert found["wanted anew"] == {(2 * START_ATTEMPTS, "1", ""): NODES}
    assert Counter(event.reason for event in fleet.told()) == {LOST: 2 * NODES}
    assert not outcome.broken


SOURED = {
    "latency": Habit(slower=128),
    "error": Habit(errors=0.9),
    "agreement": Habit(agreement=0.0),
}


@pytest.mark.parametrize("limit", SOURED)
def test_behaviour_06_a_version_that_breaks_a_limit_at_minute_3_of_5_rolls_back_unplugged_and_the_hub_hears_why(
    limit: str,
) -> None:
    fleet = Fleet(hours=1.0)
    tried: dict[tuple[str, str], int] = {}
    unplugged: dict[tuple[str, str], int] = {}
    heard: list[EventRow] = []

    def unplug() -> None:
        tried.update(fleet.seen(lambda device: (answering(device), on_trial(device))))
        for device in fleet.world.devices:
            fleet.world.injection.darken(device, 30 * MINUTE_S)

    def look() -> None:
        unplugged.update(fleet.seen(lambda device: (answering(device), given_up(device))))
        heard.extend(fleet.told())

    fleet.at(1, lambda: fleet.roll_out(Habit(soured_after_s=SOURS_S, soured=SOURED[limit])))
    fleet.at(3, unplug)
    fleet.at(6, look)
    outcome = fleet.world.run()

    assert tried == {("2", "probation"): NODES}
    assert (unplugged, heard) == ({("1", "2"): NODES}, []), "they went back by themselves, and nobody knows yet"
    assert {event.node_id: limit in event.reason for event in fleet.told()} == dict.fromkeys(fleet.node_ids, True)
    ended = fleet.world.hub.rollouts.get(fleet.rollout_id)
    assert ended.state == "aborted"
    assert limit in ended.reason
    assert not outcome.broken
