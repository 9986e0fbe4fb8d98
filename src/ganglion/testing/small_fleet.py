"""A fleet of a few nodes, each with its own traffic and its own scenes, for the gate alone: no hub, no link.

`gate_fleet` has hundreds of nodes whose inputs have nothing to do with each other. Here a camera may look at one
scene for an hour, one node answers a hundred times a second beside another that answers once a minute, a sensor is
broken before and after, or a sale begins on all nodes at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.core.histogram import SCALE, Histogram
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import NOTHING, Evidence, NodeEvidence, Outcome, Work, merged
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.testing.answer_pool import Answers, Array, Counts, Pool
from ganglion.wire.rollout_resources import GateSettings

_DAY = 1440
_HOUR = 60
_BUCKETS = 1 << SCALE
_COMPARE_SHARE = 0.25
_TRIAL_ANSWERS = 50
"""What a node asks of a version before it commits, as the settings of a probation do."""
_LATENCY_SD = 5.0
"""In buckets: a third of the answers take a tenth longer or shorter than is typical."""
_SENSOR_INPUTS = 40
"""A broken sensor shows the same few hard inputs."""


@dataclass(frozen=True, slots=True)
class World:
    """How the nodes of a fleet work, whatever version they have. Times in minutes, rates in requests a minute."""

    rates: Sequence[float] = (30.0,) * 8
    sites: int = 3
    classes: int = 1
    """Machines of so many classes, in turn."""
    scene_minutes: float = 0.0
    """A camera looks at one scene for about so long; 0: each input is another one."""
    scene_share: float = 0.9
    """Share of the inputs that show the scene."""
    unlike: float = 4.0
    """Dirichlet's concentration of a site's classes: 4 are unlike sites, 100 are sites that are alike."""
    day: float = 0.0
    """How much harder inputs are at night than at noon, in standard deviations."""
    burst: float = 0.0
    """Variance of the load of five minutes over its mean."""
    sale_after: float | None = None
    """So long after the rollout began the classes are mixed otherwise, on all nodes at once."""
    broken_sensor: bool = False
    """One node sees next to nothing, before and after."""
    failing: float = 0.0
    """Share of the requests that fail on one node, before and after."""
    slow_node: float = 1.0
    """One node takes so many times as long, before and after."""
    machine_sd: float = 0.03
    load_sd: float = 0.0
    """Of the logarithm of latency from one five minutes to the next, with a memory of an hour."""
    heat: float = 0.0
    """How much longer answers take at the hottest hour, on all nodes."""
    tail: float = 0.0
    """Share of the answers that take ten times as long, whatever the version."""
    late_minutes: float = 0.0
    """Half of the nodes of a stage take the version so much later."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is brought to the fleet."""

    pool: Pool
    slower: float = 1.0
    errors: float = 0.0005
    cold_requests: int = 0
    """So many first requests on each node take five times as long."""
    wrong_site: int | None = None
    """There it says one label, surely."""
    leak: float = 0.0
    """Memory of the machine that it takes each minute, over what the old one has."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How a rollout ended."""

    answer: Answer
    reason: str
    rules: tuple[str, ...]
    """Rules that ended it; empty when time did."""
    stage: int
    minutes: int


@dataclass(slots=True)
class _Node:
    """One node and what it did in this stage."""

    index: int
    rate: float
    weights: Array
    speed: float
    is_new: bool = False
    is_probing: bool = False
    takes_at: float = math.inf
    answered: int = 0
    """Requests since it has the new version."""
    compared: int = 0
    new_minutes: float = 0.0
    load: float = 0.0
    scene: int = -1
    old_hours: dict[int, Behaviour] = field(default_factory=dict)
    new_hours: dict[int, Behaviour] = field(default_factory=dict)
    past: dict[int, Behaviour] = field(default_factory=dict)
    before: Behaviour = NOTHING
    first_before: Behaviour = NOTHING
    """The hour before the stage in which it took the version."""


class SmallFleet:
    """The nodes of one fleet. Every node lives through the same minutes."""

    def __init__(self, seed: int, world: World, release: Release, settings: GateSettings, *, look: int = 5) -> None:
        self.world, self.release, self.settings, self.look = world, release, settings, look
        self.chance = np.random.default_rng(seed)
        pool, count = release.pool, len(world.rates)
        by_site = self.chance.dirichlet(np.full(pool.classes, world.unlike), world.sites)
        self._sale = self.chance.dirichlet(np.full(pool.classes, 1.5))
        self._hardness = _standard(-pool.old.confidence)
        self._bins = {id(each): _bins(each) for each in (pool.old, pool.new)}
        self.minute = int(self.chance.integers(3 * _DAY, 4 * _DAY))
        self._began = self.minute
        sensor = np.zeros(len(pool.truth))
        sensor[np.argsort(-self._hardness)[:_SENSOR_INPUTS]] = 1.0
        self.nodes = [
            _Node(
                index=index,
                rate=rate,
                weights=sensor if world.broken_sensor and index == 0 else by_site[index % world.sites][pool.truth],
                speed=math.exp(self.chance.normal(0, world.machine_sd)) * (world.slow_node if index == 0 else 1.0),
            )
            for index, rate in enumerate(world.rates)
        ]
        self._order = self.chance.permutation(count)

    def rollout(self, shares: Sequence[float] = (0.05, 0.25, 1.0)) -> Finish:
        """Bring the release to the fleet, and return how that ended."""
        bounds = [0]
        for share in shares:
            bounds.append(min(len(self.nodes), max(bounds[-1] + 1, round(share * len(self.nodes)))))
        finish = Finish(Answer.WAIT, "nothing to do", (), 0, 0)
        parts = [(low, high) for low, high in pairwise(bounds) if high > low]
        for stage, (low, high) in enumerate(parts):
            finish = self._stage(stage, len(parts), self._order[low:high], self._order[:low])
            if finish.answer is not Answer.GO_ON:
                return finish
        return finish

    def _stage(self, stage: int, stages: int, members: Counts, earlier: Counts) -> Finish:
        self._prepare([self.nodes[index] for index in members])
        began, soaked_at, late = self.minute, None, self.world.late_minutes
        chosen, watched = [self.nodes[index] for index in members], [self.nodes[index] for index in earlier]
        for place, node in enumerate(chosen):
            node.takes_at = began + (late if place % 2 else 0.0)
        verdict = Verdict(Answer.WAIT, "")
        while verdict.answer is Answer.WAIT:
            self._live(chosen)
            if soaked_at is None and all(node.is_new and not node.is_probing for node in chosen):
                soaked_at = self.minute
            evidence = self._evidence(chosen, watched, began, soaked_at, stages)
            verdict = gate.evaluate(self.settings, evidence)
        rules = [finding.rule for finding in verdict.findings if finding.answer == "abort"]
        return Finish(verdict.answer, verdict.reason, tuple(sorted(set(rules))), stage, self.minute - began)

    def _prepare(self, chosen: Sequence[_Node]) -> None:
        """Live through the hour before the stage, and through the same hours of the day before."""
        for node in self.nodes:
            node.old_hours, node.new_hours = {}, {}
        for _ in range(0, _HOUR, self.look):
            self._live(())
        for node in self.nodes:
            node.before = merged(node.old_hours.values())
            node.old_hours, node.new_hours = {}, {}
        for node in chosen:
            node.first_before, node.past = node.before, {}
        if all(node.is_new or node in chosen for node in self.nodes):
            self._day_before(chosen)

    def _day_before(self, chosen: Sequence[_Node]) -> None:
        now = self.minute
        hours = 1 + math.ceil(self.settings.deadline_s / 3600 if self.settings.deadline_s < _DAY * 60 else 24)
        for hour in range(hours):
            self.minute = (now // _HOUR + hour) * _HOUR - _DAY
            for _ in range(0, _HOUR, self.look):
                for node in chosen:
                    self._work(node, node.past, is_new=False, key=self.minute // _HOUR + 24)
                self.minute += self.look
        self.minute = now

    def _live(self, chosen: Sequence[_Node]) -> None:
        for node in chosen:
            if not node.is_new and self.minute >= node.takes_at:
                node.is_new = node.is_probing = True
        wanted = math.ceil(self.settings.compared_min / max(1, math.ceil(len(chosen) / 2)))
        for node in self.nodes:
            self._work(node, node.new_hours if node.is_new else node.old_hours, is_new=node.is_new)
            node.new_minutes += self.look if node.is_new else 0
            has_enough = node.compared >= wanted or self.settings.compared_min == 0
            if node.is_probing and node.answered >= _TRIAL_ANSWERS and has_enough:
                node.is_probing = False
        self.minute += self.look

    def _work(self, node: _Node, hours: dict[int, Behaviour], *, is_new: bool, key: int | None = None) -> None:
        world, chance = self.world, self.chance
        sun = math.cos(2 * math.pi * self.minute / _DAY)
        load = self.look * (1 - 0.4 * sun)
        if world.burst:
            load *= chance.gamma(1 / world.burst, world.burst)
        requests = int(chance.poisson(node.rate * load))
        if not requests:
            return
        behaviour = hours.setdefault(self.minute // _HOUR if key is None else key, Behaviour())
        usual = self.release.errors if is_new else 0.0005
        errors = int(chance.binomial(requests, max(usual, world.failing if node.index == 0 else 0.0)))
        behaviour.requests, behaviour.errors = behaviour.requests + requests, behaviour.errors + errors
        seen = self._seen(node, requests - errors, sun)
        self._count(behaviour, node, seen, is_new=is_new)
        self._time(behaviour.latency_us, node, requests - errors, is_new=is_new)
        if is_new and node.is_probing:
            self._compare(behaviour, node, seen)
        node.answered += requests if is_new else 0

    def _seen(self, node: _Node, rows: int, sun: float) -> Counts:
        """Return how often each input of the pool was shown."""
        world, chance, size = self.world, self.chance, len(node.weights)
        weights = node.weights
        if world.sale_after is not None and self.minute >= self._began + world.sale_after:
            weights = weights * self._sale[self.release.pool.truth]
        if world.day:
            weights = weights * np.exp(world.day * sun * self._hardness)
        chances = weights / weights.sum()
        if not world.scene_minutes:
            return chance.multinomial(rows, chances)
        if node.scene < 0 or chance.random() < self.look / world.scene_minutes:
            node.scene = int(chance.choice(size, p=chances))
        still = int(chance.binomial(rows, world.scene_share))
        seen = chance.multinomial(rows - still, chances)
        seen[node.scene] += still
        return seen

    def _count(self, behaviour: Behaviour, node: _Node, seen: Counts, *, is_new: bool) -> None:
        pool, release = self.release.pool, self.release
        answers = pool.new if is_new else pool.old
        if is_new and node.index % self.world.sites == release.wrong_site:
            behaviour.confidence[CONFIDENCE_BINS - 1] += int(seen.sum())
            behaviour.classes["label-0"] = behaviour.classes.get("label-0", 0) + int(seen.sum())
            return
        if not answers.confidence.any():
            return
        bins = np.bincount(self._bins[id(answers)], seen, CONFIDENCE_BINS)
        behaviour.confidence[:] = [old + int(new) for old, new in zip(behaviour.confidence, bins, strict=True)]
        for label, count in enumerate(np.bincount(answers.labels, seen).tolist()):
            if count:
                behaviour.classes[f"label-{label}"] = behaviour.classes.get(f"label-{label}", 0) + int(count)

    def _compare(self, behaviour: Behaviour, node: _Node, seen: Counts) -> None:
        pool = self.release.pool
        compared = self.chance.binomial(seen, _COMPARE_SHARE)
        is_wrong = node.index % self.world.sites == self.release.wrong_site
        same = pool.old.labels == (0 if is_wrong else pool.new.labels)
        number = int(compared.sum())
        node.compared += number
        behaviour.compared += number
        behaviour.agreed += int(compared[same].sum())
        if pool.old.confidence.any():
            bins = np.bincount(self._bins[id(pool.old)], compared, CONFIDENCE_BINS)
            known = behaviour.compared_confidence or [0] * CONFIDENCE_BINS
            behaviour.compared_confidence = [old + int(new) for old, new in zip(known, bins, strict=True)]
        self._time(behaviour.compared_latency_us, node, number, is_new=False)

    def _time(self, histogram: Histogram, node: _Node, answers: int, *, is_new: bool) -> None:
        """Count how long the answers took."""
        world, chance = self.world, self.chance
        remembers = math.exp(-self.look / _HOUR)
        node.load = remembers * node.load + chance.normal(0, world.load_sd * math.sqrt(1 - remembers**2))
        heat = 1 + world.heat * max(0.0, -math.cos(2 * math.pi * self.minute / _DAY))
        factor = node.speed * math.exp(node.load) * heat * (self.release.slower if is_new else 1.0)
        cold = min(answers, max(0, self.release.cold_requests - node.answered)) if is_new else 0
        tail = int(chance.binomial(answers - cold, world.tail))
        for number, times in ((answers - cold - tail, 1.0), (tail, 10.0), (cold, 5.0)):
            if number:
                centre = _BUCKETS * math.log2(8_000.0 * factor * times)
                drawn = np.floor(chance.normal(centre, _LATENCY_SD, min(number, 500))).astype(int)
                found, counts = np.unique(drawn, return_counts=True)
                drawn_of = chance.multinomial(number, counts / counts.sum()) if number > len(drawn) else counts
                _add(histogram, found.tolist(), drawn_of.tolist())

    def _evidence(
        self, chosen: Sequence[_Node], watched: Sequence[_Node], began: int, soaked_at: int | None, stages: int
    ) -> Evidence:
        controls = [node for node in self.nodes if not node.is_new and node.old_hours and node not in chosen]
        present = {self._class(node) for node in controls}
        past = [node for node in chosen if node.past and self._class(node) not in present]
        reached = self.minute // _HOUR
        return Evidence(
            stage=[self._node(node, node.before) for node in chosen],
            earlier=[self._node(node, node.first_before) for node in watched],
            controls=[
                *(self._of(node, node.old_hours) for node in controls),
                *(self._of(node, {hour: each for hour, each in node.past.items() if hour <= reached}) for node in past),
            ],
            past_classes=sorted({self._class(node) for node in past}),
            waited_s=(self.minute - began) * 60.0,
            soaked_s=None if soaked_at is None else (self.minute - soaked_at) * 60.0,
            stages=stages,
        )

    def _node(self, node: _Node, before: Behaviour) -> NodeEvidence:
        work = self._of(node, node.new_hours)
        return NodeEvidence(
            name=work.name,
            node_class=work.node_class,
            outcome=Outcome.COMMITTED if node.is_new and not node.is_probing else Outcome.SILENT,
            behaviour=work.behaviour,
            has_previous=True,
            site=work.site,
            hours=work.hours,
            before=before,
            machine=work.machine,
        )

    def _of(self, node: _Node, hours: dict[int, Behaviour]) -> Work:
        name, site = f"n{node.index}", f"site-{node.index % self.world.sites}"
        memory = {"memory_used_bytes": 1e9 * node.speed * (1.0 + self.release.leak * node.new_minutes)}
        return Work(name, self._class(node), site, merged(hours.values()), dict(hours), memory)

    def _class(self, node: _Node) -> str:
        return f"class-{node.index % self.world.classes}"


def _bins(answers: Answers) -> Counts:
    bins: Counts = np.minimum((answers.confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    return bins


def _standard(values: Array) -> Array:
    spread = values.std()
    standard: Array = (values - values.mean()) / spread if spread else np.zeros(len(values))
    return standard


def _add(histogram: Histogram, found: Sequence[int], counts: Sequence[int]) -> None:
    for bucket, count in zip(found, counts, strict=True):
        if count:
            histogram.buckets[bucket] = histogram.buckets.get(bucket, 0) + count
            histogram.total += 2.0 ** (bucket / _BUCKETS) * count
