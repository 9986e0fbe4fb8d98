"""The gate on fleets with day and night, unlike sites and unlike nodes. bench/gate.py measures the rates with more.

One seed is one fleet. `pytest tests/simulation/test_gate.py --seeds N` tries more of them.
"""

from dataclasses import replace

import pytest

from ganglion.hub.domain.gate.verdict import Answer
from ganglion.testing.gate_fleet import HEALTHY, End, GateFleet, Size, Version
from ganglion.wire.rollout_resources import GateSettings

GATE = GateSettings(inferences_min=2000, soak_s=1200.0, compared_min=200)
SIZE = Size(nodes=200, sites=8, look_minutes=10)


def fleets(seeds: range) -> range:
    """Return the seeds of fleets: two for five of the others, for a fleet takes half a second."""
    return range(max(1, len(seeds) * 2 // 5))


def rolled_out(seed: int, version: Version, gate: GateSettings = GATE) -> End:
    return GateFleet(seed, SIZE).rollout(version, gate)


def test_healthy_versions_reach_everybody(seeds: range) -> None:
    stopped = {}
    for seed in fleets(seeds):
        end = rolled_out(seed, HEALTHY[seed % len(HEALTHY)])
        if end.answer is not Answer.GO_ON:
            stopped[seed] = end

    assert not stopped


def test_a_loss_of_five_points_of_accuracy_is_stopped(seeds: range) -> None:
    passed = [seed for seed in fleets(seeds) if rolled_out(seed, Version(accuracy=-0.05)).answer is not Answer.ABORT]

    assert passed == []


def test_a_version_twice_as_slow_is_stopped_at_the_first_stage() -> None:
    end = rolled_out(1, Version(slower=2.0))

    assert (end.answer, end.stage) == (Answer.ABORT, 0)
    assert "typical latency" in end.reason


def test_a_version_eight_per_cent_slower_is_stopped_where_four_are_allowed() -> None:
    exact = replace(GATE, latency_typical_ratio_max=1.04, latency_typical_slack_us=0)
    size = Size(nodes=1000, sites=20, look_minutes=10)

    end = GateFleet(1, size).rollout(Version(slower=1.08), exact)

    assert (end.answer, end.stage) == (Answer.ABORT, 0)
    assert "typical latency" in end.reason


@pytest.mark.parametrize("seed", [1, 2])
def test_a_version_wrong_and_sure_on_one_site_is_stopped_before_the_last_stage(seed: int) -> None:
    end = rolled_out(seed, Version(wrong_at_site=3))

    assert end.answer is Answer.ABORT
    assert end.stage < 2
    assert "at site-3: " in end.reason
