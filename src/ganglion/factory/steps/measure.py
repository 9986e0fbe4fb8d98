"""Which of two models is faster on this machine? Interleaved, so that a busy machine slows both alike."""

import statistics
from dataclasses import dataclass

import msgspec

from ganglion.core.steps import Tensors
from ganglion.ports.clock import Clock
from ganglion.ports.runtime import CanInfer


class MeasureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long two models race."""

    rounds: int = 40
    """Rounds of A, then B; the figures are medians over rounds."""

    calls_per_round: int = 30
    """Calls of each model in one round, of which the fastest counts: the others were disturbed."""


@dataclass(frozen=True, slots=True)
class Race:
    """Latency of one call of each model. `speed_ratio` above 1 says that the candidate is faster."""

    reference_us: float
    candidate_us: float
    speed_ratio: float


def race(reference: CanInfer, candidate: CanInfer, feeds: Tensors, *, clock: Clock, settings: MeasureSettings) -> Race:
    """Run both models in turn on the same input."""
    _fastest_us(reference, feeds, clock, settings.calls_per_round)
    _fastest_us(candidate, feeds, clock, settings.calls_per_round)
    first, second = [], []
    for _ in range(settings.rounds):
        first.append(_fastest_us(reference, feeds, clock, settings.calls_per_round))
        second.append(_fastest_us(candidate, feeds, clock, settings.calls_per_round))
    ratio = statistics.median(slow / fast for slow, fast in zip(first, second, strict=True))
    return Race(statistics.median(first), statistics.median(second), ratio)


def _fastest_us(engine: CanInfer, feeds: Tensors, clock: Clock, calls: int) -> float:
    return min(_call_us(engine, feeds, clock) for _ in range(calls))


def _call_us(engine: CanInfer, feeds: Tensors, clock: Clock) -> float:
    start = clock.monotonic_s()
    engine.infer(feeds)
    return (clock.monotonic_s() - start) * 1e6
