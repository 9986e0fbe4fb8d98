"""How often the gate errs: healthy versions that it aborts, and bad ones that it lets pass.

`python bench/gate.py` brings 200 versions of each kind to a fleet of their own, seeds 0 to 199; `--rollouts N` brings
another number. Every rollout has its own sites, cameras, weather and hour of the day (`ganglion.testing.gate_fleet`).
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ganglion.core.drift import wilson_interval
from ganglion.hub.domain.gate.verdict import Answer
from ganglion.testing.gate_fleet import HEALTHY, End, GateFleet, Size, Version
from ganglion.wire.rollout_resources import GateSettings

RESULTS = Path(__file__).parent / "results"
GATE = GateSettings(inferences_min=2000, soak_s=1200.0, compared_min=200)
EXACT = replace(GATE, latency_typical_ratio_max=1.04, latency_typical_slack_us=0)
"""For whom eight per cent matter."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Versions that are good or bad in one way."""

    name: str
    versions: Sequence[Version]
    gate: GateSettings = GATE
    is_good: bool = False


KINDS = (
    Kind("healthy", HEALTHY, is_good=True),
    Kind("five points less accurate", (Version(accuracy=-0.05, agreement=0.9),)),
    Kind("wrong and sure of itself on one site", (Version(wrong_at_site=3),)),
    Kind("twice as slow", (Version(slower=2.0),)),
    Kind("8 % slower, where 4 % are allowed", (Version(slower=1.08),), gate=EXACT),
    Kind("3 % of the requests fail, where 2 % are allowed", (Version(errors=0.03),)),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one kind."""

    kind: str
    rollouts: int
    aborted: int
    interval: tuple[float, float]
    """95 % for the share of aborts."""
    stages: dict[str, int]
    minutes: float
    """Median time in the stage that ended it."""
    answers: float
    """Median of the answers that the bad version gave until then."""
    cpu_s: float
    examples: list[str]


def one(kind: Kind, size: Size, seed: int) -> End:
    return GateFleet(seed, size).rollout(kind.versions[seed % len(kind.versions)], kind.gate)


def measured(kind: Kind, size: Size, seeds: range, workers: int) -> Found:
    began_s, rollouts = time.monotonic(), len(seeds)
    with ProcessPoolExecutor(workers) as pool:
        ends = list(pool.map(partial(one, kind, size), seeds, chunksize=5))
    aborted = [end for end in ends if end.answer is Answer.ABORT]
    odd = [(seed, end) for seed, end in zip(seeds, ends, strict=True) if (end.answer is Answer.ABORT) is kind.is_good]
    stages = {f"{stage + 1}": sum(end.stage == stage for end in aborted) for stage in range(3)}
    found = Found(
        kind=kind.name,
        rollouts=rollouts,
        aborted=len(aborted),
        interval=wilson_interval(len(aborted), rollouts, z=1.96),
        stages=stages,
        minutes=statistics.median([end.minutes for end in aborted] or [0]),
        answers=statistics.median([end.new_answers for end in aborted] or [0]),
        cpu_s=(time.monotonic() - began_s) * workers,
        examples=[f"seed {seed}, stage {end.stage + 1}: {end.reason[:400]}" for seed, end in odd[:5]],
    )
    low, high = (f"{share:.2%}" for share in found.interval)
    print(
        f"{found.kind}, seeds {seeds.start} to {seeds.stop - 1}: {found.aborted} of {rollouts} aborted "
        f"(95 % {low} to {high}), by stage {stages}, "
        f"after {found.minutes:.0f} min and {found.answers:,.0f} answers (medians)",
        *found.examples,
        sep="\n  ",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--nodes", type=int, default=400)
    parser.add_argument("--look", type=int, default=5, help="minutes between two looks")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kind", type=int, action="append", choices=range(len(KINDS)))
    options = parser.parse_args()
    size = Size(nodes=options.nodes, sites=20, look_minutes=options.look)
    kinds = [KINDS[index] for index in options.kind or range(len(KINDS))]
    seeds = range(options.first, options.first + options.rollouts)
    found = [measured(kind, size, seeds, options.workers) for kind in kinds]
    if options.kind is None:
        report = {"size": asdict(size), "first": options.first, "found": [asdict(each) for each in found]}
        RESULTS.joinpath("gate.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
