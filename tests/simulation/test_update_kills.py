"""Updates under random kills: agent, serving process or power, before or after any step, any write, any command.

One seed is one schedule. `pytest tests/simulation --seeds N` tries SCHEDULES_EACH times as many of them.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
import structlog

from simulation.update_world import MODEL, NEW, OLD, Fate, Victim, World

SCHEDULES_EACH = 25


@dataclass(frozen=True, slots=True)
class Ended:
    """A world at rest."""

    seed: int
    fate: Fate
    committed: str
    answering: str
    failed_reason: str
    events: tuple[str, ...]
    """Names of the new version's events."""
    kills: tuple[str, ...]
    was_damaged: bool
    waited: bool
    """It waited for a window."""


async def live_through(seeds: range, directory: Path) -> list[Ended]:
    ended = []
    for seed in seeds:
        world = World(seed, directory)
        try:
            await world.live()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        ended.append(end_of(seed, world))
    return ended


def end_of(seed: int, world: World) -> Ended:
    assert world.model.committed is not None, f"seed {seed}: nothing is committed"
    return Ended(
        seed=seed,
        fate=world.fate,
        committed=world.model.committed.version,
        answering=world.serving.active[MODEL],
        failed_reason=world.model.failed_reason,
        events=tuple(event.name for event in world.store.events if event.version == NEW),
        kills=tuple(world.kills),
        was_damaged=world.was_damaged,
        waited=world.waited,
    )


@pytest.fixture(scope="module")
def worlds(seeds: range, tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    """Return every world at rest; on the way nothing answered that was not verified."""
    many = range(len(seeds) * SCHEDULES_EACH)
    # A hundred thousand lives are more to read than anybody has time for.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return anyio.run(live_through, many, tmp_path_factory.mktemp("node"))
    finally:
        structlog.reset_defaults()


def test_behaviour_04_whatever_is_killed_the_node_comes_to_rest_on_a_verified_version(worlds: list[Ended]) -> None:
    assert {world.committed for world in worlds} == {OLD, NEW}, "the seeds must try both ends"
    assert all(world.answering == world.committed for world in worlds)


def test_behaviour_04_a_version_that_is_no_good_is_never_committed(worlds: list[Ended]) -> None:
    assert [world for world in worlds if world.fate is not Fate.GOOD and world.committed != OLD] == []


def test_behaviour_04_every_attempt_ends_once(worlds: list[Ended]) -> None:
    for world in worlds:
        offered = world.events.count("update.offered")
        assert len(world.events) == 2 * offered or world.was_damaged, world


def test_behaviour_05_a_version_that_takes_serving_down_is_given_up(worlds: list[Ended]) -> None:
    fatal = [world for world in worlds if world.fate in {Fate.FATAL_AT_LOAD, Fate.FATAL_IN_USE}]

    assert {world.answering for world in fatal} == {OLD}
    assert any("lost 2 times" in world.failed_reason for world in fatal), "the seeds must try it"


def test_the_schedules_kill_everything_somewhere(worlds: list[Ended]) -> None:
    kills = Counter(kill for world in worlds for kill in world.kills)

    for victim in Victim:
        for place in ("before a write", "after a write", "while it unpacks", "before Load", "after Switch"):
            assert kills[f"{victim} {place}"], f"the seeds must kill the {victim} {place}"


def test_the_schedules_kill_versions_that_wait_for_their_window(worlds: list[Ended]) -> None:
    waited = [world for world in worlds if world.waited and world.kills]

    assert {world.committed for world in waited} == {OLD, NEW}, "the seeds must try both ends"
