"""The simulated world agrees with the real one: one small fleet lives through the same in both.

Real processes, a cable that can be cut, real models and clients on one side; on the other the scenario that describes
them, with the rates that the clients reached and the times at which things happened. The margins below are those of
docs/explanation/simulation.md.
"""

from dataclasses import dataclass

import pytest

from e2e.reality_world import TICK_S, Figures, described, real_fleet, simulated

MADE, STORED, SENT, SPREAD = 0.02, 0.10, 0.30, 0.35
"""How far the figures of the two worlds may lie apart, as a share of the real one."""
SHED = 0.35
"""The same for what was given up, as a share of what was made while the cable was out."""
WHEREABOUTS = 0.05
"""Records under way when the counting begins and ends, as a share of those that were made."""

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class Both:
    """The same fleet twice."""

    real: Figures
    world: Figures


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    with real_fleet(tmp_path_factory.mktemp("reality")) as fleet:
        schedule, real = fleet.live(described())
    return Both(real, simulated(schedule, real, seed=1))


def test_as_many_records_are_made_stored_and_given_up(both: Both) -> None:
    real, world = both.real, both.world

    assert world.results == pytest.approx(real.results, rel=MADE)
    assert world.samples == pytest.approx(real.samples, rel=MADE)
    assert world.stored == pytest.approx(real.stored, rel=STORED)
    assert world.shed_results == pytest.approx(real.shed_results, abs=SHED * real.outage_share * real.results)
    assert world.shed_samples == pytest.approx(real.shed_samples, abs=SHED * real.outage_share * real.samples)


def test_in_both_the_lowest_class_is_given_up_first_and_the_rest_is_stored(both: Both) -> None:
    for each in (both.real, both.world):
        placed = each.stored + each.shed_results + each.shed_samples
        assert placed == pytest.approx(each.results + each.samples, rel=WHEREABOUTS), each
        assert each.shed_samples / each.samples > each.shed_results / each.results > 0.0, each


def test_as_many_bytes_are_sent(both: Both) -> None:
    assert both.world.sent_bytes == pytest.approx(both.real.sent_bytes, rel=SENT)


def test_the_good_version_is_kept_by_all_and_the_bad_one_refused_by_the_first(both: Both) -> None:
    assert (both.world.updates, both.world.reverts) == (both.real.updates, both.real.reverts) == (3, 1)


def test_the_good_version_is_on_every_node_after_as_many_looks_of_the_hub(both: Both) -> None:
    real, world = both.real.spread_s / TICK_S, both.world.spread_s / TICK_S

    assert world == pytest.approx(real, rel=SPREAD)
