"""Whether more answers are in doubt, where nodes are alike and where they are not."""

import pytest

from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.hub.domain.gate.evidence import NodeEvidence, Work
from ganglion.hub.domain.gate.findings import Doubt
from ganglion.hub.domain.gate.shifts import IN_DOUBT_BINS, Shift, measured
from ganglion.testing.chance import SeededChance
from ganglion.wire.rollout_resources import GateSettings

ROWS = 400
DOUBT = Doubt.shared(stages=3)
SURE, UNSURE = CONFIDENCE_BINS - 1, IN_DOUBT_BINS - 1


def answers(share_in_doubt: float) -> Behaviour:
    confidence = [0] * CONFIDENCE_BINS
    confidence[UNSURE] = round(ROWS * min(1.0, max(0.0, share_in_doubt)))
    confidence[SURE] = ROWS - confidence[UNSURE]
    return Behaviour(requests=ROWS, confidence=confidence, classes={"7": ROWS})


def in_doubt(seed: int, *, rise: float, unlike: float) -> Shift:
    """Return what is found of ten nodes against thirty, whose shares in doubt differ by `unlike` by themselves."""
    chance = SeededChance(seed)

    def nature() -> float:
        return 0.2 + unlike * (sum(chance.share() for _ in range(12)) - 6.0)

    stage = [NodeEvidence(f"s{number}", "x86_64-4", behaviour=answers(nature() + rise)) for number in range(10)]
    controls = [Work(f"c{number}", "x86_64-4", behaviour=answers(nature())) for number in range(30)]
    found = measured(GateSettings(), "", stage, controls, DOUBT)
    return next(shift for shift in found.found if shift.rule == "answers in doubt")


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_answers_in_doubt_are_seen_where_nodes_are_unlike(seed: int) -> None:
    found = in_doubt(seed, rise=0.5, unlike=0.1)

    assert found.is_shifted
    assert found.is_proved
    assert found.is_lower


def test_a_rise_of_eight_points_is_seen_where_nodes_are_alike() -> None:
    assert in_doubt(1, rise=0.08, unlike=0.005).is_shifted


def test_nodes_that_are_unlike_by_themselves_are_not_taken_for_a_bad_version() -> None:
    assert not any(in_doubt(seed, rise=0.0, unlike=0.15).is_shifted for seed in range(100))
