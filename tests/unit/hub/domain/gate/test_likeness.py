"""What few nodes can prove: had another draw chosen the strangest of them, nothing would be the version's fault."""

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import likeness
from ganglion.hub.domain.gate.evidence import Work
from ganglion.hub.domain.gate.findings import Doubt
from ganglion.hub.domain.gate.likeness import Likeness

ALPHA = Doubt.shared(stages=3).alpha


def cameras(number: int, name: str, *, sure: int, sites: int = 1) -> list[Work]:
    """Return nodes of which `sure` rows in a thousand are sure, and the others in doubt."""
    confidence = [0] * 20
    confidence[19], confidence[10] = sure, 1000 - sure
    return [
        Work(f"{name}{index}", "x86_64-4", f"site-{index % sites}", Behaviour(requests=1000, confidence=confidence))
        for index in range(number)
    ]


def compared(stage: list[Work], controls: list[Work]) -> Likeness:
    found = likeness.between(stage, controls, likeness.confidence_of, alpha=ALPHA)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stage", "controls", "can_prove"), [(1, 200, False), (3, 7, False), (3, 24, False), (5, 25, True)]
)
def test_a_shift_is_proved_by_nodes_that_few_other_draws_could_have_chosen(
    stage: int, controls: int, *, can_prove: bool
) -> None:
    found = compared(cameras(stage, "n", sure=300), cameras(controls, "c", sure=900))

    assert found.is_beyond(0.05)
    assert found.can_prove is can_prove
    assert found.is_proved(0.05) is can_prove


def test_nodes_are_drawn_place_by_place() -> None:
    """Two of 42 could be chosen in 861 ways, one of 21 at each of two sites in 441, and at each of four in 194,481."""
    two, four = (
        compared(cameras(sites, "n", sure=300, sites=sites), cameras(20 * sites, "c", sure=900, sites=sites))
        for sites in (2, 4)
    )

    assert (two.can_prove, four.can_prove) == (False, True)


def test_controls_that_all_look_alike_do_not_make_one_node_a_proof() -> None:
    found = compared(cameras(1, "n", sure=0), cameras(24, "c", sure=1000))

    assert found.is_beyond(0.05)
    assert not found.is_proved(0.05)
