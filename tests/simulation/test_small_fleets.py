"""The gate on fleets of a few nodes that have troubles of their own. bench/gate_worlds.py measures rates with more.

One seed is one fleet. `pytest tests/simulation/test_small_fleets.py --seeds N` tries more of them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ganglion.hub.domain.gate.verdict import Answer
from ganglion.testing.answer_pool import Pool, Variant, made
from ganglion.testing.small_fleet import Finish, Release, SmallFleet, World
from ganglion.wire.rollout_resources import GateSettings

GATE = GateSettings(soak_s=1200.0, deadline_s=3 * 3600.0)
TEN = World(rates=(30.0,) * 10)
RETRAINED, INT8 = Variant(gain=0.3, temperature=1.15), Variant(apart=0.12)
SEEDS_PER_FLEET = 10


def rolled_out(seed: int, world: World, variant: Variant, release: Callable[[Pool], Release] = Release) -> Finish:
    return SmallFleet(seed, world, release(made(seed, variant)), GATE).rollout()


@pytest.mark.parametrize(
    ("world", "variant", "release"),
    [
        pytest.param(TEN, RETRAINED, partial(Release, cold_requests=100), id="cold start"),
        pytest.param(replace(TEN, failing=0.5), RETRAINED, Release, id="one node fails, before and after"),
        pytest.param(replace(TEN, slow_node=3.0), RETRAINED, Release, id="one node is slow, before and after"),
        pytest.param(replace(TEN, scene_minutes=60.0), INT8, Release, id="one scene for an hour"),
        pytest.param(World(rates=(30.0,) * 4, classes=4), RETRAINED, Release, id="one node of each class"),
        pytest.param(replace(TEN, sale_after=60.0), RETRAINED, Release, id="a sale begins on all nodes at once"),
    ],
)
def test_a_good_version_reaches_a_small_fleet_whatever_troubles_it(
    world: World, variant: Variant, release: Callable[[Pool], Release], seeds: range
) -> None:
    ends = [rolled_out(seed, world, variant, release) for seed in range(max(1, len(seeds) // SEEDS_PER_FLEET))]

    assert [end for end in ends if end.answer is not Answer.GO_ON] == []


@pytest.mark.parametrize(
    "release",
    [
        pytest.param(partial(Release, slower=3.0), id="three times as slow"),
        pytest.param(partial(Release, errors=0.05), id="one request in twenty fails"),
        pytest.param(partial(Release, wrong_site=1), id="wrong and sure at one site"),
    ],
)
def test_a_bad_version_is_stopped_in_a_fleet_of_ten(release: Callable[[Pool], Release], seeds: range) -> None:
    ends = [rolled_out(seed, TEN, RETRAINED, release) for seed in range(max(1, len(seeds) // SEEDS_PER_FLEET))]

    assert [end for end in ends if end.answer is not Answer.ABORT] == []
