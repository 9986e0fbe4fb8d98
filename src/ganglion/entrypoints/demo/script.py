"""What the demo does and how long it takes: the figures that `--quick` shortens, and nothing else."""

from dataclasses import dataclass

MODEL = "meter"
DATASET = "meter-feedback"
SITES = ("harbour", "valley", "ridge", "island")
CANARY_LABEL = ("canary", "yes")
"""The node of the first site carries it."""
REVIEWER = "reviewer"
"""The account of the second person, without whom no stage begins."""
RECOVERY_BOUND_S = 5.0
"""A node whose serving process was killed answers again within this time."""


@dataclass(frozen=True, slots=True)
class Script:
    """Durations and rates. Requests per second are those of each client."""

    rate: float = 20.0
    cut_s: float = 10.0
    """How long clients run with the cable out before processes are killed."""
    settle_s: float = 3.0
    """How long clients run on after each kill."""
    probation_s: float = 3.0
    soak_s: float = 3.0
    inferences_min: int = 50
    compared_min: int = 25
    compare_share: float = 0.5
    """Share of a canary's requests that the previous version answers too; high, so that the demo is short."""
    latency_ratio_max: float = 20.0
    """p99 of a new version over the old one's at which a node goes back; high, since all of this shares one machine."""
    samples_min: int = 150
    """Labelled samples that retraining waits for."""
    trial_requests: int = 250
    """Answers of each arm of the experiment before anything is said of them."""
    wait_s: float = 120.0
    """A chapter that takes longer than this has failed."""


QUICK = Script(
    cut_s=4.0,
    settle_s=2.0,
    probation_s=1.5,
    soak_s=2.0,
    inferences_min=30,
    compared_min=15,
    samples_min=60,
    trial_requests=100,
)
