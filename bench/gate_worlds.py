"""How often the gate errs on small fleets that are unlike those of `bench/gate.py`: few nodes, scenes, broken sensors.

`python bench/gate_worlds.py` brings 200 releases to each world; `--only WORD` names worlds, `--rollouts N` a number.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ganglion.core.drift import wilson_interval
from ganglion.hub.domain.gate.verdict import Answer
from ganglion.testing.answer_pool import Pool, Variant, made
from ganglion.testing.small_fleet import Finish, Release, SmallFleet, World
from ganglion.wire.rollout_resources import GateSettings

RESULTS = Path(__file__).parent / "results"
GATE = GateSettings(soak_s=1800.0, deadline_s=4 * 3600.0)
PATIENT = replace(GATE, deadline_s=24 * 3600.0)
"""For nodes with a request a minute: fifty comparisons take hours there."""
ALONE = replace(GATE, compared_min=0)
RETRAINED = Variant(gain=0.3, temperature=1.15)
INT8 = Variant(apart=0.12)


@dataclass(frozen=True, slots=True)
class Case:
    """A world, and what is brought there."""

    name: str
    world: World
    variant: Variant = RETRAINED
    release: Callable[[Pool], Release] = Release
    gate: GateSettings = GATE
    is_good: bool = True


FEW = World(rates=(30.0,) * 3, sites=1)
TEN = World(rates=(30.0,) * 10)
MANY = World(rates=(30.0,) * 40, sites=5)
UNEVEN = World(rates=(1.0, 1.0, 1.0, 5.0, 30.0, 300.0, 6000.0, 1.0), sites=3)
SCENES = World(rates=(30.0,) * 8, scene_minutes=60.0)
GOOD = (
    Case("3 nodes, one site", FEW),
    Case("10 nodes, three sites", TEN),
    Case("one node of each class", World(rates=(30.0,) * 6, classes=6)),
    Case("one a minute beside a hundred a second", UNEVEN, gate=PATIENT),
    Case("one scene for an hour", SCENES),
    Case("one scene for an hour, INT8", SCENES, INT8),
    Case("one scene for an hour, nothing compared", SCENES, INT8, gate=ALONE),
    Case("bursts", replace(TEN, burst=3.0)),
    Case("day and night", replace(TEN, day=0.6)),
    Case("a sale begins", replace(TEN, sale_after=75.0)),
    Case("a sale begins, nothing compared", replace(TEN, sale_after=75.0), gate=ALONE),
    Case("sites with unlike inputs", replace(TEN, unlike=0.5, sites=10)),
    Case("cold start, 100 requests", TEN, release=partial(Release, cold_requests=100)),
    Case("cold start, 20 requests", TEN, release=partial(Release, cold_requests=20)),
    Case("heat by hour", replace(TEN, heat=0.8, load_sd=0.1)),
    Case("heat by hour, half of the nodes late", replace(TEN, heat=0.8, load_sd=0.1, late_minutes=150.0)),
    Case("latency with a memory", replace(TEN, load_sd=0.3)),
    Case("one answer in 66 takes ten times as long", replace(UNEVEN, tail=0.015), gate=PATIENT),
    Case("a broken sensor", replace(TEN, broken_sensor=True)),
    Case("requests of one node fail", replace(TEN, failing=0.04)),
    Case("most requests of one node fail", replace(TEN, failing=0.5)),
    Case("one slow node", replace(TEN, slow_node=3.0)),
    Case("40 nodes, one scene for an hour, INT8", replace(MANY, scene_minutes=60.0), INT8),
    Case("40 nodes, heat by hour, half of them late", replace(MANY, heat=0.8, load_sd=0.1, late_minutes=150.0)),
    Case("INT8", TEN, INT8),
    Case("surer of itself", TEN, Variant(gain=0.3, temperature=1.6)),
    Case("less sure, and right as often", TEN, Variant(gain=0.3, temperature=0.8)),
    Case("regression without labels", TEN, Variant(has_labels=False)),
)
BAD = (
    Case("five points less accurate", TEN, Variant(gain=-0.55), is_good=False),
    Case("forty points lost in one class of eight", TEN, Variant(lost_class=2, lost=2.2), is_good=False),
    Case("two labels of ten swapped", TEN, Variant(swapped=(1, 2)), is_good=False),
    Case("wrong and sure at one site", TEN, release=partial(Release, wrong_site=1), is_good=False),
    Case("wrong at one site, one scene for an hour", SCENES, release=partial(Release, wrong_site=1), is_good=False),
    Case("8 % slower", TEN, release=partial(Release, slower=1.08), is_good=False),
    Case("50 % slower", TEN, release=partial(Release, slower=1.5), is_good=False),
    Case("three times as slow", TEN, release=partial(Release, slower=3.0), is_good=False),
    Case("three times as slow, 3 nodes", FEW, release=partial(Release, slower=3.0), is_good=False),
    Case("1 in 500 fails", TEN, release=partial(Release, errors=0.002), is_good=False),
    Case("5 % fail", TEN, release=partial(Release, errors=0.05), is_good=False),
    Case("5 % fail, and on one node half before", replace(TEN, failing=0.5), release=partial(Release, errors=0.05),
         is_good=False),
    Case("memory leak of 2 % a minute", TEN, release=partial(Release, leak=0.02), is_good=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one case."""

    case: str
    rollouts: int
    aborted: int
    late: int
    """Of these: not decided before the deadline."""
    interval: tuple[float, float]
    rules: dict[str, int]
    stages: dict[str, int]
    cpu_s: float
    examples: list[str]


def one(index: int, is_good: bool, seed: int) -> Finish:  # noqa: FBT001 - a partial of a pool's map
    case = (GOOD if is_good else BAD)[index]
    pool = made(seed, case.variant, classes=10 if case.variant.swapped else 8)
    return SmallFleet(seed, case.world, case.release(pool), case.gate).rollout()


def measured(index: int, *, is_good: bool, seeds: range, workers: int) -> Found:
    case, began_s = (GOOD if is_good else BAD)[index], time.process_time()
    if workers == 1:
        ends = [one(index, is_good, seed) for seed in seeds]
    else:
        with ProcessPoolExecutor(workers) as pool:
            ends = list(pool.map(partial(one, index, is_good), seeds, chunksize=5))
    aborted = [end for end in ends if end.answer is Answer.ABORT]
    odd = [(seed, end) for seed, end in zip(seeds, ends, strict=True) if (end.answer is Answer.ABORT) is is_good]
    found = Found(
        case=case.name,
        rollouts=len(seeds),
        aborted=len(aborted),
        late=sum(not end.rules for end in aborted),
        interval=wilson_interval(len(aborted), len(seeds), z=1.96),
        rules=dict(Counter(rule for end in aborted for rule in end.rules)),
        stages=dict(Counter(f"{end.stage + 1}" for end in aborted)),
        cpu_s=time.process_time() - began_s,
        examples=[
            f"seed {seed}, stage {end.stage + 1}, {end.minutes} min: {end.reason[:300]}" for seed, end in odd[:3]
        ],
    )
    print(
        f"{'good' if is_good else 'bad '} {found.case}: {found.aborted} of {found.rollouts} aborted "
        f"({found.late} at the deadline), rules {found.rules}, stages {found.stages}",
        *(found.examples if is_good else []),
        sep="\n      ",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the names of worlds")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.rollouts)
    found = [
        measured(index, is_good=is_good, seeds=seeds, workers=options.workers)
        for is_good, cases in ((True, GOOD), (False, BAD))
        for index, case in enumerate(cases)
        if options.only in case.name
    ]
    if not options.only:
        report = {"first": options.first, "found": [asdict(each) for each in found]}
        RESULTS.joinpath("gate_worlds.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
