"""Runs worlds for people: quietly, and once more in a short form when a law breaks."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from ganglion.testing.world import faults as plans
from ganglion.testing.world.link import BandwidthTrace
from ganglion.testing.world.outcome import Outcome
from ganglion.testing.world.scenario import Scenario
from ganglion.testing.world.shrink import first_broken, shrink
from ganglion.testing.world.world import simulate


def run(scenario: Scenario, *, seed: int, faults: str, traces: Sequence[BandwidthTrace] = ()) -> Outcome:
    """Run a world. Raises: InvalidRequest."""
    with _quiet():
        return simulate(scenario, seed=seed, faults=faults, traces=traces)


def shortened(scenario: Scenario, *, seed: int, faults: str, outcome: Outcome) -> str:
    """Return a test to paste, and how short it is."""
    planned = plans.plan(scenario, plans.rates_of(faults), seed)
    with _quiet():
        found = shrink(scenario, seed=seed, faults=planned, law=first_broken(outcome))
    return (
        f"{len(found.faults)} of {len(planned)} faults and {found.scenario.devices.nodes} nodes are enough"
        f" ({found.runs} runs):\n\n{found.as_test()}"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what a simulated hub would log to itself: its timeline says it better."""
    before = structlog.get_config()
    structlog.configure(**{**before, "wrapper_class": structlog.make_filtering_bound_logger(logging.CRITICAL)})
    try:
        yield
    finally:
        structlog.configure(**before)
