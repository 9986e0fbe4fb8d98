"""How often the intervals of experiments miss the truth, over all looks together, and how often they name a winner
where there is none.

`python bench/experiment_coverage.py` runs 200 experiments in each world: with and without a true difference, in the
three modes, with arms of unequal size, nodes that answer once a minute beside a hundred times a second, nodes whose
inputs resemble each other for an hour, and nodes of which one in ten is in trouble.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.core.drift import wilson_interval
from ganglion.core.histogram import SCALE, Histogram
from ganglion.hub.domain.experiments.accuracy import NodeScores, Score
from ganglion.hub.domain.experiments.results import ArmWork, NodeWork, beside, results
from ganglion.wire.experiment_resources import ArmRequest, ExperimentRequest

RESULTS = Path(__file__).parent / "results"
LOOKS = (1, 2, 3, 4, 6, 9, 13, 18, 24)
"""Hours after which people look."""
_MIDDLES = (np.arange(CONFIDENCE_BINS) + 0.5) / CONFIDENCE_BINS
_MANY = 200_000
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """A fleet, and what its challenger truly does. Every node draws a level of its own."""

    name: str
    nodes: int = 20
    share: float = 0.5
    """Of the nodes, or of the requests, that the challenger gets."""
    mode: str = "nodes"
    per_hour: Sequence[int] = (300,)
    """Requests of the nodes, in turn."""
    differ: float = 1.0
    """How much nodes differ: times a tenth in latency and two log-odds in errors, half a unit in confidence."""
    uneven_effect: float = 0.0
    """How much the challenger's effect differs from node to node, in the same unit."""
    hourly: float = 0.0
    """How much the hours of one node differ."""
    troubled: float = 0.0
    """Share of the nodes on which three requests of ten fail and confidence is low."""
    effect: float = 0.0
    """1: the challenger is five per cent slower, fails half as often again, and is less sure."""


WORLDS = (
    World("20 nodes, half and half"),
    World("20 nodes, half and half, a true difference", effect=1.0),
    World("6 nodes, half and half", nodes=6),
    World("20 nodes, one in ten gets the challenger", share=0.1),
    World("the same, and the effect differs from node to node", share=0.1, uneven_effect=2.0),
    World("one request a minute beside a hundred a second", per_hour=(60, 60, 60, 60, 360_000), effect=1.0),
    World("inputs of an hour resemble each other", hourly=2.0),
    World("one node in ten is in trouble", troubled=0.1),
    World("one node in ten is in trouble, one in ten gets the challenger", troubled=0.1, share=0.1),
    World("traffic, a tenth of the requests, sticky keys", mode="traffic", share=0.1, effect=1.0, uneven_effect=0.5),
    World("traffic, 4 nodes", mode="traffic", nodes=4, share=0.5, uneven_effect=0.5),
    World("shadow, a tenth of the inputs", mode="shadow", share=0.1, effect=1.0, uneven_effect=0.5),
)


@dataclass(frozen=True, slots=True)
class Levels:
    """How nodes are by nature with one version."""

    error: Array
    log_us: Array
    sure: Array
    right: Array


def levels(world: World, own: Array, effect: Array, is_troubled: npt.NDArray[np.bool_]) -> Levels:
    """Return what nodes with these levels of their own show, with this much of the challenger's effect."""
    odds = math.log(0.01) + world.differ * 0.5 * own + 0.4 * effect
    error = np.where(is_troubled, 0.3, 1 / (1 + np.exp(-odds)))
    sure = np.where(is_troubled, 0.0, 2.0) + world.differ * 0.25 * own - 0.15 * effect
    right = 1 / (1 + np.exp(-(np.where(is_troubled, 0.0, 2.5) + world.differ * 0.25 * own - 0.2 * effect)))
    return Levels(error, math.log(5000.0) + world.differ * 0.1 * own + 0.05 * effect, sure, right)


def confidences(sure: Array) -> Array:
    """Return the shares of the bins of confidence, for each node."""
    odds = np.log(_MIDDLES / (1 - _MIDDLES))
    share = np.exp(-0.5 * ((odds[None, :] - np.atleast_1d(sure)[:, None]) / 1.2) ** 2) / (_MIDDLES * (1 - _MIDDLES))
    shares: Array = share / share.sum(axis=1, keepdims=True)
    return shares


def means(found: Levels) -> dict[str, float]:
    """Return the mean over nodes of each metric."""
    return {
        "error_rate": float(found.error.mean()),
        "latency": float(found.log_us.mean()),
        "confidence": float((confidences(found.sure) @ _MIDDLES).mean()),
        "accuracy": float(found.right.mean()),
    }


def truth(world: World, chance: np.random.Generator) -> dict[str, float]:
    """Return challenger minus control in all nodes that there could be; of latency the ratio less one."""
    own, troubled = chance.normal(size=_MANY), chance.random(_MANY) < world.troubled
    # In the long run the hours of a node are part of what it is.
    own = own + world.hourly * chance.normal(size=_MANY)
    new = means(levels(world, own, world.effect + world.uneven_effect * chance.normal(size=_MANY), troubled))
    old = means(levels(world, own, np.zeros(_MANY), troubled))
    found = {metric: new[metric] - old[metric] for metric in new}
    return found | {"latency": math.expm1(found["latency"])}


class Fleet:
    """The nodes of one experiment, and what they answered hour by hour."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, np.random.default_rng(seed)
        count = world.nodes
        self.own, self.troubled = self.chance.normal(size=count), self.chance.random(count) < world.troubled
        self.effect = world.effect + world.uneven_effect * self.chance.normal(size=count)
        self.is_new = np.zeros(count, dtype=bool)
        self.is_new[self.chance.permutation(count)[: max(1, round(world.share * count))]] = True
        self.hours: tuple[list[dict[int, Behaviour]], ...] = tuple([{} for _ in range(count)] for _ in range(2))
        self.scores: tuple[list[dict[int, Score]], ...] = tuple([{} for _ in range(count)] for _ in range(2))

    def live(self, hour: int) -> None:
        """Let every node answer for an hour."""
        own = self.own + self.world.hourly * self.chance.normal(size=len(self.own))
        for arm in range(2):
            shown = levels(self.world, own, self.effect * arm, self.troubled)
            for node in range(len(own)):
                requests = self.world.per_hour[node % len(self.world.per_hour)]
                self._answer(shown, arm, node, hour, requests)

    def _answer(self, shown: Levels, arm: int, node: int, hour: int, requests: int) -> None:
        world = self.world
        if world.mode == "nodes":
            if self.is_new[node] != bool(arm):
                return
        elif arm:
            requests = int(self.chance.binomial(requests, world.share))
            if world.mode == "shadow":
                self._hear(shown, node, hour, requests)
                return
        elif world.mode == "traffic":
            requests = int(self.chance.binomial(requests, 1 - world.share))
        if not requests:
            return
        errors = int(self.chance.binomial(requests, shown.error[node]))
        self.hours[arm][node][hour] = Behaviour(
            requests=requests,
            errors=errors,
            latency_us=self._latency(shown.log_us[node], requests - errors),
            confidence=self._confidence(shown.sure[node], requests - errors),
        )
        self.scores[arm][node][hour] = Score(int(self.chance.binomial(4, shown.right[node])), 4)

    def _hear(self, shown: Levels, node: int, hour: int, heard: int) -> None:
        behaviour = self.hours[0][node].get(hour)
        if behaviour is not None and heard:
            behaviour.compared = heard
            behaviour.agreed = int(self.chance.binomial(heard, 0.95))
            behaviour.compared_latency_us = self._latency(shown.log_us[node], heard)
            behaviour.compared_confidence = self._confidence(shown.sure[node], heard)

    def _latency(self, log_us: float, answers: int) -> Histogram:
        scale = (1 << SCALE) / math.log(2.0)
        drawn = np.floor(scale * self.chance.normal(log_us, 0.2, min(answers, 2000))).astype(int)
        found, counts = np.unique(drawn, return_counts=True)
        return Histogram(buckets=dict(zip(found.tolist(), counts.tolist(), strict=True)), total=float(answers))

    def _confidence(self, sure: float, answers: int) -> list[int]:
        drawn: list[int] = self.chance.multinomial(answers, confidences(np.array([sure]))[0]).tolist()
        return drawn

    def arms(self) -> list[ArmWork]:
        """Return what is known of both arms."""
        world, found = self.world, []
        for arm, version in enumerate(("1", "2")):
            work = [NodeWork("x86_64-4", hours, f"n{node}") for node, hours in enumerate(self.hours[arm]) if hours]
            scores = [NodeScores("x86_64-4", hours) for hours in self.scores[arm] if hours]
            share = world.share if arm else 1 - world.share
            found.append(ArmWork(version, share, nodes=max(1, len(work)), work=work, scores=scores))
        return found if world.mode == "nodes" else beside(world.mode, *found)


def missed(world: World, seed: int, true: Mapping[str, float]) -> tuple[set[str], set[str], set[str]]:
    """Return for which metrics an interval missed the truth at any look, a finding was false, and one was made."""
    request = ExperimentRequest("e", "m", "1", [ArmRequest("2", world.share if world.mode == "nodes" else 0.0)])
    request = replace(request, metric="confidence", mode=world.mode)
    request = replace(request, share=0.0 if world.mode == "nodes" else world.share, requests_min=100)
    fleet, wrong, false, found = Fleet(world, seed), set[str](), set[str](), set[str]()
    for hour in range(LOOKS[-1]):
        fleet.live(hour)
        if hour + 1 not in LOOKS:
            continue
        for result in results(request, fleet.arms())[1].metrics:
            if result.difference_low is None or result.difference_high is None:
                continue
            found.add(result.metric)
            if not result.difference_low <= true[result.metric] <= result.difference_high:
                wrong.add(result.metric)
            if result.finding in {"better", "worse"} and not world.effect:
                false.add(result.metric)
    return wrong, false, found


def measured(world: World, seeds: range) -> dict[str, object]:
    true = truth(world, np.random.default_rng(1))
    wrong, false, told = Counter[str](), Counter[str](), Counter[str]()
    for seed in seeds:
        for total, found in zip((wrong, false, told), missed(world, seed, true), strict=True):
            total.update(found)
    rows = {
        metric: {
            "told": told[metric],
            "missed": wrong[metric],
            "missed_95": wilson_interval(wrong[metric], told[metric], z=1.96),
            "false": false[metric],
        }
        for metric in sorted(told)
    }
    words = ", ".join(f"{metric} {wrong[metric]} of {told[metric]}" for metric in sorted(told))
    print(f"{world.name}: missed at any look: {words}; false findings {dict(false)}", flush=True)
    return {"world": world.name, "experiments": len(seeds), "metrics": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="a part of the names of worlds")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.experiments)
    found = [measured(world, seeds) for world in WORLDS if options.only in world.name]
    if not options.only:
        text = json.dumps({"first": options.first, "found": found}, indent=1)
        RESULTS.joinpath("experiment_coverage.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
