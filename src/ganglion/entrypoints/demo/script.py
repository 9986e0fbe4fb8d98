"""What the demo does and how long it takes: the figures that `--quick` shortens, and nothing else."""

from dataclasses import dataclass

MODEL = "meter"
DATASET = "meter-feedback"
SITES = ("harbour", "valley", "ridge")
STAGES = ["34%", "100%"]
RECOVERY_BOUND_S = 5.0
"""A node whose serving process was killed answers again within this time."""


@dataclass(frozen=True, slots=True)
class Script:
    """Durations and rates. Requests per second are those of each client."""

    rate: float = 25.0
    cut_s: float = 12.0
    """How long clients run with the cable out before processes are killed."""
    settle_s: float = 4.0
    """How long clients run on after each kill."""
    probation_s: float = 3.0
    soak_s: float = 4.0
    inferences_min: int = 60
    compared_min: int = 25
    compare_share: float = 0.5
    """Share of a canary's requests that the previous version answers too; high, so that the demo is short."""
    samples_min: int = 150
    """Labelled samples that retraining waits for."""
    wait_s: float = 120.0
    """A chapter that takes longer than this has failed."""


QUICK = Script(cut_s=4.0, settle_s=2.0, probation_s=1.5, soak_s=2.0, inferences_min=30, compared_min=15, samples_min=60)
