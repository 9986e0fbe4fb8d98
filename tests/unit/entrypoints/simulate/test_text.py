"""What a planner reads of a run."""

import msgspec
import pytest

from ganglion.entrypoints.simulate.text import answers, figures
from ganglion.testing.world.outcome import Figures, Outcome
from ganglion.testing.world.scenario import Devices, Scenario

SCENARIO = Scenario(devices=Devices(outbox_gb=1.0))
FIGURES = Figures(
    updates=0, reverts=0, made={"result": 100}, shed={"result": 10}, stored=80, waiting=10, up_bytes=1, down_bytes=0,
    outbox_peak_bytes=0, worst_age_h=0.0, first_shed_h=2.0, power_cuts=0, restarts=0, epochs_renewed=0,
    hub_restorations=0, faults=0, faults_by_kind={},
)  # fmt: skip


def outcome(counted: Figures) -> Outcome:
    return Outcome(
        title="a fleet", seed=1, nodes=1, hours=1.0, verdicts=(), figures=counted, releases=(), timeline=(), samples=()
    )


@pytest.mark.parametrize(("peak_bytes", "full"), [(999_999_950, "outbox"), (20_000_000, "disk")])
def test_it_says_whether_the_outbox_or_the_disk_was_too_small(peak_bytes: int, full: str) -> None:
    counted = msgspec.structs.replace(FIGURES, outbox_peak_bytes=peak_bytes)

    told = "\n".join(answers(outcome(counted), SCENARIO))

    assert f"The first {full} was full after 2.0 h; given up: 10 of 100 result records (10.0%)." in told


@pytest.mark.parametrize(("times", "told"), [(0, "0 times"), (1, "once"), (2, "2 times")])
def test_it_says_how_often_the_hub_was_restored_and_what_that_cost(times: int, told: str) -> None:
    counted = msgspec.structs.replace(FIGURES, hub_restorations=times, forgotten=7000)

    table = dict(figures(counted))

    assert (table["hub restored"], table["forgotten with backups"]) == (told, "7,000")
