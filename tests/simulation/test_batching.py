"""When batching pays: an engine whose runs cost a fixed time and a little per row, under arrivals from one seed.

Service times are those of a small network on one core, in microseconds: 300 for a run and 20 more per row.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ganglion.core.batching_rules import BatchingRules
from ganglion.node.domain.serving.batching import NEVER_S, Batching, Waiting
from ganglion.testing.chance import SeededChance

RUN_S, ROW_S = 300e-6, 20e-6
REQUESTS = 3000
ALONE_PER_S = 1 / (RUN_S + ROW_S)
"""What the engine can do one by one."""
TICK_S = 1e-9

ALONE = BatchingRules(queue_len_max=REQUESTS)
GATHERED = BatchingRules(max_size=32, queue_len_max=REQUESTS)
DELAYED = BatchingRules(max_size=32, max_delay_us=2000, queue_len_max=REQUESTS)
PREFERRING = BatchingRules(max_size=32, max_delay_us=2000, preferred_sizes=(4,), queue_len_max=REQUESTS)


@dataclass(frozen=True)
class Figures:
    """What clients saw, in multiples of one run alone."""

    p50: float
    p99: float
    per_s: float
    rows_per_run: float


def poisson(seed: int, per_s: float) -> Iterator[float]:
    chance, at_s = SeededChance(seed), 0.0
    for _ in range(REQUESTS):
        at_s -= math.log(1 - chance.share()) / per_s
        yield at_s


def bursts(seed: int, per_s: float, *, size: int = 16) -> Iterator[float]:
    """Yield arrivals of groups, as of cameras that share a trigger, with the same rate in the long run."""
    for at_s in poisson(seed, per_s / size):
        yield from [at_s] * size


def simulate(rules: BatchingRules, arrivals: Iterator[float]) -> Figures:
    batching: Batching[float] = Batching(rules)
    waiting = sorted(arrivals)[:REQUESTS]
    waits: list[float] = []
    now_s, free_at_s, runs, place = 0.0, 0.0, 0, 0
    while place < len(waiting) or len(batching):
        while place < len(waiting) and waiting[place] <= now_s:
            batching.arrive(Waiting(waiting[place], 1, "row", waiting[place]))
            place += 1
        decision = batching.decide(now_s, is_free=now_s >= free_at_s)
        if decision.batch is not None:
            free_at_s = now_s + RUN_S + ROW_S * decision.batch.rows
            waits += [free_at_s - at_s for at_s in decision.batch.items]
            runs += 1
            continue
        events_s = [waiting[place]] if place < len(waiting) else []
        events_s += [free_at_s] if free_at_s > now_s else []
        events_s += [max(decision.wake_s, now_s + TICK_S)] if decision.wake_s < NEVER_S else []
        now_s = min(events_s)
    waits.sort()
    alone_s = RUN_S + ROW_S
    return Figures(
        p50=waits[len(waits) // 2] / alone_s,
        p99=waits[len(waits) * 99 // 100] / alone_s,
        per_s=len(waiting) / (free_at_s - waiting[0]),
        rows_per_run=len(waiting) / runs,
    )


@pytest.fixture(params=range(5))
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_gathering_what_arrives_meanwhile_carries_five_times_the_load(seed: int) -> None:
    load = 5 * ALONE_PER_S

    alone, gathered = simulate(ALONE, poisson(seed, load)), simulate(GATHERED, poisson(seed, load))

    assert gathered.per_s > 4.8 * alone.per_s
    assert gathered.p99 < 4
    assert alone.p50 > 1000, "one by one the queue grows without end"


def test_gathering_what_arrives_meanwhile_costs_nothing_where_there_is_little_to_do(seed: int) -> None:
    load = 0.2 * ALONE_PER_S

    alone, gathered = simulate(ALONE, poisson(seed, load)), simulate(GATHERED, poisson(seed, load))

    assert gathered.p50 <= alone.p50
    assert gathered.p99 <= alone.p99


def test_a_delay_costs_a_quiet_server_latency_and_brings_it_nothing(seed: int) -> None:
    load = 0.2 * ALONE_PER_S

    gathered, delayed = simulate(GATHERED, poisson(seed, load)), simulate(DELAYED, poisson(seed, load))

    assert delayed.p50 > 5 * gathered.p50
    assert delayed.per_s == pytest.approx(gathered.per_s, rel=0.01)


def test_a_delay_saves_runs_where_the_load_is_near_what_the_engine_can_do(seed: int) -> None:
    load = 0.8 * ALONE_PER_S

    gathered, delayed = simulate(GATHERED, poisson(seed, load)), simulate(DELAYED, poisson(seed, load))

    assert delayed.rows_per_run > 2 * gathered.rows_per_run


def test_bursts_are_answered_in_one_run(seed: int) -> None:
    load = 0.5 * ALONE_PER_S

    alone, gathered = simulate(ALONE, bursts(seed, load)), simulate(GATHERED, bursts(seed, load))

    assert gathered.p99 < 0.35 * alone.p99
    assert gathered.rows_per_run > 10


def test_a_preferred_size_starts_before_the_delay_is_over(seed: int) -> None:
    load = 2 * ALONE_PER_S

    delayed, preferring = simulate(DELAYED, poisson(seed, load)), simulate(PREFERRING, poisson(seed, load))

    assert preferring.p50 < 0.7 * delayed.p50
