"""Two versions side by side on real nodes, and the way back of a node that was away when the experiment ended."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.bad_versions import GOOD, MODEL, Fault
from e2e.fleet_of_nodes import SOON_S, Fleet, open_fleet
from ganglion.testing.waiting import wait_until
from ganglion.wire.experiment_resources import ArmRequest, ExperimentAction, ExperimentGuard, ExperimentRequest
from ganglion.wire.rollout_resources import ProbationSettings

pytestmark = pytest.mark.e2e

NAME = "one-or-another"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with open_fleet(tmp_path, nodes=2, sites=1, stages=["100%"], rate=20.0) as running:
        yield running


def experiment_with(version: str) -> ExperimentRequest:
    """Return one that looks at errors: nodes that share a few cores have latencies of their own."""
    return ExperimentRequest(
        name=NAME,
        model=MODEL,
        control=GOOD,
        arms=[ArmRequest(version)],
        guard=ExperimentGuard(latency_ratio_max=1000.0),
        probation=ProbationSettings(probation_s=1.0, inferences_min=20, compared_min=20, latency_ratio_max=100.0),
    )


def test_an_arm_serves_its_version_and_goes_back_even_if_it_was_away_at_the_end(fleet: Fleet) -> None:
    # Wrong on a site on which no node stands: another version that is as good here.
    version = fleet.release(Fault.ONE_SITE, site=1)
    fleet.api.create_experiment(experiment_with(version))

    started = fleet.api.act_on_experiment(NAME, "start", ExperimentAction())
    (tried,) = started.arms[1].node_names
    wait_until(
        lambda: fleet.api.experiment(NAME).arms[1].serving == 1, what="the challenger's commit", timeout_s=SOON_S
    )
    wait_until(lambda: fleet.answered_with(version), what="an answer of the challenger", timeout_s=SOON_S)
    wait_until(lambda: fleet.api.experiment(NAME).arms[1].requests >= 20, what="its counts", timeout_s=SOON_S)
    fleet.nodes[tried].stop()
    ended = fleet.api.act_on_experiment(NAME, "conclude", ExperimentAction(reason="no better", winner=GOOD))
    fleet.nodes[tried].start()
    wait_until(lambda: fleet.is_at_rest(GOOD), what="the way back", timeout_s=SOON_S)

    assert (ended.state, ended.rollout_id) == ("concluded", "")
    assert fleet.answered_with(version) == {tried}
    assert [arm.nodes for arm in ended.arms] == [1, 1]
