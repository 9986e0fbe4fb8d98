"""Versions that load and are wrong, on real nodes: each is caught at the first stage that can see it, and given back.

`make test` asks five nodes about two faults. With FLEET_NODES=20, as `make soak-fleet` has it, twenty nodes are
asked about all four, and the report goes to FLEET_REPORT.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from e2e.bad_versions import GOOD, LAYERS, Fault
from e2e.fleet_of_nodes import SITES, Caught, Fleet, open_fleet, table

NODES = int(os.environ.get("FLEET_NODES", "5"))
IS_LARGE = len(SITES) * 5 <= NODES
FAULTS = tuple(Fault) if IS_LARGE else (Fault.SWAPPED, Fault.ONE_SITE)
# Whether a version is slow is asked of the large fleet only: the nodes of the small one need not be kept busy.
WORK = LAYERS if Fault.SLOW in FAULTS else 1
STAGES = ("5%", "25%", "100%") if IS_LARGE else ("20%", "60%", "100%")

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start the nodes once: whatever a bad version did, they are as before when it is gone."""
    directory = tmp_path_factory.mktemp("fleet")
    sites, rate = (len(SITES), 4.0) if IS_LARGE else (2, 10.0)
    with open_fleet(directory, nodes=NODES, sites=sites, stages=STAGES, rate=rate, layers=WORK) as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Caught]]:
    """Collect what was caught, and leave it as JSON and as a table."""
    caught: list[Caught] = []
    yield caught
    default = tmp_path_factory.mktemp("report") / "bad_versions.json"
    file = Path(os.environ.get("FLEET_REPORT", default))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(caught)) + b"\n")
    sys.stdout.write(f"\n{table(caught)}report: {file}\n")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_version_is_caught_at_the_first_stage_that_can_see_it_and_given_back(
    fleet: Fleet, report: list[Caught], fault: Fault
) -> None:
    site = fleet.site_of_a_later_stage(GOOD)

    caught = fleet.catch(fault, site=site)

    report.append(caught)
    assert (caught.stage, caught.given) == _first_that_can_see(fault), caught
    assert any(rule.startswith(_rules_about(fault, SITES[site])) for rule in caught.rules), caught
    assert caught.affected > 0, caught
    assert fleet.answered_with(fault.value) <= set(caught.named), caught


def _first_that_can_see(fault: Fault) -> tuple[int, int]:
    """Return which stage that is, and how many nodes had the version by then."""
    second = (2, int(NODES * float(STAGES[1].rstrip("%")) / 100))
    # Site by site needs another site; how much slower nodes are needs several of them.
    return second if fault in (Fault.ONE_SITE, Fault.SLOW) else (1, 1)


def _rules_about(fault: Fault, site: str) -> tuple[str, ...]:
    """Return how the rules begin that may end the rollout for this fault."""
    return {
        Fault.SWAPPED: ("agreement", "updates"),
        Fault.ONE_SITE: (f"agreement at {site}",),
        Fault.CRASHING: ("crashes", "updates"),
        Fault.SLOW: ("typical latency",),
    }[fault]
