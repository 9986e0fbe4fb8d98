"""Versions that are held on trial, under random kills of everything: the committed version stays, whatever is killed.

One seed is one schedule. `pytest tests/simulation --seeds N` tries SCHEDULES_EACH times as many of them.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec
import pytest
import structlog

from ganglion.wire.desired import DesiredState, UpdateState
from simulation.update_world import MODEL, NEW, OLD, POLICY, Fate, Victim, World
from unit.node.builders import a_desired, an_assignment

SCHEDULES_EACH = 5
SPLIT = msgspec.structs.replace(POLICY, held=True, traffic_share=0.2)
HEARD = msgspec.structs.replace(SPLIT, traffic_share=0.0)
SHADOWED_FIRST = msgspec.structs.replace(SPLIT, shadow_comparisons_min=20)


class HeldWorld(World):
    """An experiment begins, goes on for a while, and ends: the hub wants the old version again."""

    seen_sharing = seen_listening = False

    def check(self) -> None:
        """Look whether the old version is committed and answers, and nothing but what was verified beside it."""
        super().check()
        assert self.serving.active.get(MODEL) in (None, OLD), self
        weights, update = self.serving.weights.get(MODEL, {}), self.model.update
        assert NEW not in weights or (NEW in self.trusted and self.disk[NEW] == "whole"), self
        assert self.model.committed is not None, self
        assert self.model.committed.version == OLD, self
        self.seen_sharing |= NEW in weights
        self.seen_listening |= update is not None and update.only_listens and update.state is UpdateState.SHADOW

    @property
    def is_at_rest(self) -> bool:
        """A world whose store was torn is told of no end."""
        update = self.model.update
        return super().is_at_rest or (self.was_damaged and update is not None and update.is_settled)

    def _draw_wishes(self) -> list[tuple[int, DesiredState]]:
        policy, ends_at = self.random.choice([SPLIT, HEARD, SHADOWED_FIRST]), self.random.randrange(2, 120)
        return [
            (1, a_desired(1, an_assignment(NEW, rollout="x", policy=policy))),
            (ends_at, a_desired(2, an_assignment(OLD, rollout="x"))),
        ]


async def live_through(seeds: range, directory: Path) -> list[HeldWorld]:
    worlds = [HeldWorld(seed, directory) for seed in seeds]
    for seed, world in zip(seeds, worlds, strict=True):
        try:
            await world.live()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    return worlds


@pytest.fixture(scope="module")
def worlds(seeds: range, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[HeldWorld]]:
    """Return every world at rest; at no moment was another version committed, or active."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield anyio.run(live_through, range(len(seeds) * SCHEDULES_EACH), tmp_path_factory.mktemp("node"))
    finally:
        structlog.reset_defaults()


def test_whatever_is_killed_the_old_version_answers_alone_after_the_end(worlds: list[HeldWorld]) -> None:
    ended = [world for world in worlds if not world.was_damaged]

    assert {world.serving.active[MODEL] for world in ended} == {OLD}
    assert not any(world.serving.weights.get(MODEL) for world in ended)
    assert not any(event.name == "update.committed" for world in worlds for event in world.store.events)
    assert all("update.rolled_back" in [event.name for event in world.store.events] for world in ended)


def test_the_schedules_reach_both_kinds_of_trial_and_kill_everything_there(worlds: list[HeldWorld]) -> None:
    kills = Counter(kill for world in worlds if world.seen_sharing for kill in world.kills)

    assert sum(world.seen_sharing for world in worlds) > len(worlds) / 10
    assert any(world.seen_listening and world.kills for world in worlds)
    assert all(any(kill.startswith(str(victim)) for kill in kills) for victim in Victim)


def test_a_version_that_is_no_good_does_not_stay_on_trial(worlds: list[HeldWorld]) -> None:
    fatal = [world for world in worlds if world.fate is Fate.FATAL_IN_USE]

    assert not any(world.seen_sharing for world in fatal)
    assert any("lost 2 times" in event.reason for world in fatal for event in world.store.events)
