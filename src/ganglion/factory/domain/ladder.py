"""The optimisation ladder: which of the variants that were built and measured becomes the version.

An optimised variant has to earn its place. INT8 can be slower than FP32 and can lose accuracy, so
both are facts to be measured, and every attempt stays in the report with the reason of its fate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ganglion.factory.domain.evaluation import PairedComparison


class LadderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an optimised variant must hold to replace the baseline."""

    accuracy_loss_max: float = 0.02
    """Budget for the accuracy that a variant may lose, as a share; compared with the upper 95 % bound."""

    speed_ratio_min: float = 1.0
    """Latency of the baseline over the variant's, measured interleaved; below 1 the variant is slower."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung: a variant that was built and measured against the baseline, or why that failed."""

    variant: str
    size_bytes: int = 0
    comparison: PairedComparison | None = None
    speed_ratio: float = 0.0
    latency_us: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """An attempt, and what became of it."""

    attempt: Attempt
    fits: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The variant to release, why, and all that was tried; the baseline comes first."""

    variant: str
    reason: str
    rungs: tuple[Rung, ...]


def choose(baseline: Attempt, attempts: Sequence[Attempt], settings: LadderSettings) -> Choice:
    """Take the fastest attempt that keeps every limit, or the baseline when none does."""
    rungs = [Rung(baseline, fits=True, reason="the baseline"), *(_judge(attempt, settings) for attempt in attempts)]
    fitting = [rung for rung in rungs[1:] if rung.fits]
    if not fitting:
        reasons = "; ".join(f"{rung.attempt.variant}: {rung.reason}" for rung in rungs[1:])
        return Choice(baseline.variant, reasons or "nothing else was tried", tuple(rungs))
    best = max(fitting, key=lambda rung: rung.attempt.speed_ratio)
    return Choice(best.attempt.variant, best.reason, tuple(rungs))


def _judge(attempt: Attempt, settings: LadderSettings) -> Rung:
    comparison = attempt.comparison
    if attempt.failure or comparison is None:
        return Rung(attempt, fits=False, reason=attempt.failure or "it was not evaluated")
    # From zero, because minus zero would be printed as -0.00%.
    gain = 0.0 - comparison.loss
    loss = f"accuracy {gain:+.2%}, a loss of at most {comparison.loss_upper:.2%} with 95% confidence"
    speed = f"runs at {attempt.speed_ratio:.2f} times the baseline's speed"
    if comparison.loss_upper > settings.accuracy_loss_max:
        return Rung(attempt, fits=False, reason=f"{loss}; the budget is {settings.accuracy_loss_max:.2%}")
    if attempt.speed_ratio < settings.speed_ratio_min:
        return Rung(attempt, fits=False, reason=f"{speed}; {settings.speed_ratio_min:.2f} is demanded")
    return Rung(attempt, fits=True, reason=f"{loss}; {speed}")
