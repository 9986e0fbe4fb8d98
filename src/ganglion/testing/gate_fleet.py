"""A fleet that answers by chance, for the gate alone: no hub, no link, only counts. It shows how often the gate errs.

Cameras see day and night, sites have their own weather and their own mix of classes, machines of two classes differ in
speed, and no two nodes are alike. A version may be worse in the ways that a `Version` says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ganglion.core.behaviour import CONFIDENCE_BINS, Behaviour
from ganglion.core.histogram import Histogram
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome, Work, merged
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.wire.rollout_resources import GateSettings

LABELS = 8
CONTROLS = 200
"""Of more nodes with the old version about so many are controls."""
CLASSES = ("aarch64-4", "x86_64-8")
_LATENCY_US = np.array([20_000.0, 5_000.0])
_SPEED_SD = 0.03
"""How much machines of one class differ in speed."""
_BUCKETS = 128
_LATENCY_SD = 5.0
"""In buckets: a third of the answers take a tenth longer or shorter than is typical."""
_EDGES = np.array([math.log(edge / (1 - edge)) for edge in np.arange(1, CONFIDENCE_BINS) / CONFIDENCE_BINS])
_RIGHT, _WRONG = (2.8, 1.1), (0.4, 0.9)
"""Mean and spread of the log-odds of the confidence when the answer is right, and when it is wrong."""
_STRANGE = 0.2
"""Share of the hours before in a node's own past that nobody recorded."""

_GRID = np.linspace(-8.0, 8.0, 3201)
_NORMAL = np.array([0.5 + 0.5 * math.erf(place / math.sqrt(2)) for place in _GRID])

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Version:
    """How a version behaves, beside the one that it replaces."""

    accuracy: float = 0.0
    """Added to the share of right answers: -0.05 is a loss of five points."""
    confidence: float = 0.0
    """Added to the log-odds of every confidence: a retrained model is surer of itself."""
    agreement: float = 0.96
    slower: float = 1.0
    errors: float = 0.001
    wrong_at_site: int | None = None
    """There it answers one label, surely, whatever it sees."""


HEALTHY = (
    Version(),
    Version(accuracy=0.01, confidence=0.4, agreement=0.94),
    Version(accuracy=0.02, confidence=0.15, agreement=0.93),
    Version(slower=0.7, agreement=0.97),
    Version(accuracy=0.005, confidence=-0.1, agreement=0.95),
    Version(slower=1.1, confidence=0.8, agreement=0.92),
)
"""As good as the old version or better; most of them retrained."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the fleet is, and how often the gate looks."""

    nodes: int = 200
    sites: int = 10
    rows_per_minute: float = 30.0
    look_minutes: int = 5
    stage_minutes: int = 60


@dataclass(frozen=True, slots=True)
class End:
    """How a rollout ended."""

    answer: Answer
    reason: str
    stage: int
    minutes: int
    """Since the stage began."""
    new_answers: int
    """Answers of the new version in all stages together."""


@dataclass(slots=True)
class _Tallies:
    """Counts by node and hour."""

    nodes: int
    hours: dict[int, Counts] = field(default_factory=dict)

    def add(self, hour: int, who: npt.NDArray[np.bool_], drawn: Counts) -> None:
        kept = self.hours.setdefault(hour, np.zeros((self.nodes, drawn.shape[1]), dtype=np.int64))
        kept[who] += drawn[who]


@dataclass(frozen=True, slots=True)
class _Work:
    """What both versions did since a stage began, and each node in the hour before."""

    old: _Tallies
    new: _Tallies
    before: Sequence[Behaviour]


class GateFleet:
    """The nodes of one fleet, and what they answered."""

    def __init__(self, seed: int, size: Size | None = None) -> None:
        self.size, self.chance = size or Size(), np.random.default_rng(seed)
        count, draw = self.size.nodes, self.chance.normal
        self.site = self.chance.permutation(np.arange(count) % self.size.sites)
        self.machine = self.chance.integers(0, len(CLASSES), count)
        self.hard = draw(0, 0.25, self.size.sites)[self.site] + draw(0, 0.25, count)
        self.speed = np.exp(draw(0, _SPEED_SD, count))
        self.rate = self.size.rows_per_minute * np.exp(draw(0, 0.5, count))
        mix = self.chance.dirichlet(np.full(LABELS, 4.0), self.size.sites)[self.site]
        own = self.chance.dirichlet(np.full(LABELS, 8.0), count)
        self.mix = 0.7 * mix + 0.3 * own
        self.minute = int(self.chance.integers(0, 24 * 60))
        self.weather = draw(0, 0.2, self.size.sites)
        self.is_new = np.zeros(count, dtype=bool)
        self.is_probing = np.zeros(count, dtype=bool)

    def rollout(self, version: Version, settings: GateSettings, shares: Sequence[float] = (0.05, 0.25, 1.0)) -> End:
        """Bring a version to the fleet, and return how that ended."""
        order = self.chance.permutation(self.size.nodes)
        answers = begun = 0
        for stage, share in enumerate(shares):
            until = max(begun + 1, round(share * self.size.nodes))
            members, earlier = order[begun:until], order[:begun]
            end = self._stage(version, settings, members, earlier, stages=len(shares))
            answers += end.new_answers
            end = replace(end, stage=stage, new_answers=answers)
            if end.answer is not Answer.GO_ON:
                return end
            begun = until
        return end

    def _stage(self, version: Version, settings: GateSettings, members: Counts, earlier: Counts, *, stages: int) -> End:
        size, began = self.size, self.minute
        work = _Work(_Tallies(size.nodes), _Tallies(size.nodes), self._hour_before())
        commits = dict(zip(members.tolist(), self.chance.integers(2, 12, len(members)).tolist(), strict=True))
        verdict = Verdict(Answer.WAIT, "not looked yet")
        self.is_new[members], self.is_probing[members] = True, True
        for _ in range(0, size.stage_minutes, size.look_minutes):
            self._pass(work, version)
            waited = self.minute - began
            for node, commit in commits.items():
                self.is_probing[node] = commit > waited
            verdict = gate.evaluate(settings, self._evidence((members, earlier), work, waited=waited, stages=stages))
            if verdict.answer is not Answer.WAIT:
                break
        answers = sum(int(counts[:, -4].sum()) for counts in work.new.hours.values())
        return End(verdict.answer, verdict.reason, 0, self.minute - began, answers)

    def _hour_before(self) -> list[Behaviour]:
        """Let every node work for an hour with what it has, and return what it did."""
        past = _Tallies(self.size.nodes)
        now, self.minute = self.minute, self.minute - 60
        nobody = np.zeros(self.size.nodes, dtype=bool)
        self._draw(_Work(past, _Tallies(self.size.nodes), ()), Version(), 60, nobody)
        self.minute = now
        lost = self.chance.random(self.size.nodes) < _STRANGE
        totals: Counts = np.sum(list(past.hours.values()), axis=0)
        return [Behaviour() if lost[node] else self._behaviour(node, totals[node]) for node in range(self.size.nodes)]

    def _pass(self, work: _Work, version: Version) -> None:
        self.weather = 0.98 * self.weather + self.chance.normal(0, 0.04, self.size.sites)
        self._draw(work, version, self.size.look_minutes, self.is_new)
        self.minute += self.size.look_minutes

    def _draw(self, work: _Work, version: Version, minutes: int, has_new: npt.NDArray[np.bool_]) -> None:
        hour = self.minute // 60
        day = math.sin(2 * math.pi * self.minute / 1440)
        sight = 0.5 * day + self.weather[self.site] - self.hard
        rows = self.chance.poisson(self.rate * minutes * (1 + 0.5 * day))
        for tallies, who, how in ((work.old, ~has_new, Version()), (work.new, has_new, version)):
            if who.any():
                tallies.add(hour, who, self._answers(np.where(who, rows, 0), sight, how))

    def _answers(self, rows: Counts, sight: Array, version: Version) -> Counts:
        errors = self.chance.binomial(rows, version.errors)
        good = rows - errors
        right = np.clip(0.93 + 0.02 * sight + version.accuracy, 0.01, 0.999)
        surer = sight * 0.4 + version.confidence
        confidence = right[:, None] * _bins(_RIGHT, surer) + (1 - right[:, None]) * _bins(_WRONG, surer)
        mix = self.mix.copy()
        lost = self.site == version.wrong_at_site
        if version.wrong_at_site is not None:
            confidence[lost], mix[lost] = _bins(_RIGHT, np.ones(1))[0], np.eye(LABELS)[0]
        compared = np.where(self.is_probing, self.chance.binomial(good, 0.25), 0)
        agreement = np.where(lost, 1 / LABELS, version.agreement)
        return np.hstack(
            [
                self.chance.multinomial(good, confidence),
                self.chance.multinomial(good, mix),
                self.chance.multinomial(good, self._latency(version, sight)),
                np.stack([rows, errors, compared, self.chance.binomial(compared, agreement)], axis=1),
            ]
        )

    def _latency(self, version: Version, sight: Array) -> Array:
        """Return the shares of the buckets: 128 of them around what is typical of the class."""
        load = 1 + 0.05 * np.tanh(sight)
        centre = 32 * np.log2(self.speed * version.slower * load)
        places = np.arange(_BUCKETS) - _BUCKETS / 2 + 0.5
        share = np.exp(-0.5 * ((places[None, :] - centre[:, None]) / _LATENCY_SD) ** 2)
        shares: Array = share / share.sum(axis=1, keepdims=True)
        return shares

    def _evidence(self, groups: tuple[Counts, Counts], tallies: _Work, *, waited: int, stages: int) -> Evidence:
        members, earlier = groups
        old, new, before = tallies.old, tallies.new, tallies.before
        has_committed = [node for node in members.tolist() if not self.is_probing[node]]
        soaked_s = waited * 60.0 - 720.0 if len(has_committed) == len(members) else None
        return Evidence(
            stage=[self._node(node, new, before[node]) for node in members.tolist()],
            earlier=[self._node(node, new, Behaviour()) for node in earlier.tolist()],
            controls=self._controls(members, old, before),
            past_classes=() if (~self.is_new).any() else CLASSES,
            waited_s=waited * 60.0,
            soaked_s=soaked_s,
            stages=stages,
        )

    def _controls(self, members: Counts, old: _Tallies, before: Sequence[Behaviour]) -> list[Work]:
        others = np.flatnonzero(~self.is_new).tolist()
        if others:
            return [self._work(node, self._hours(node, old)) for node in others[:: max(1, len(others) // CONTROLS)]]
        hour = self.minute // 60
        return [self._work(node, {hour: before[node]}) for node in members.tolist() if before[node].requests]

    def _node(self, node: int, new: _Tallies, before: Behaviour) -> NodeEvidence:
        work = self._work(node, self._hours(node, new))
        return NodeEvidence(
            name=work.name,
            node_class=work.node_class,
            outcome=Outcome.SILENT if self.is_probing[node] else Outcome.COMMITTED,
            behaviour=work.behaviour,
            has_previous=True,
            site=work.site,
            hours=work.hours,
            before=before,
        )

    def _work(self, node: int, hours: dict[int, Behaviour]) -> Work:
        total = next(iter(hours.values())) if len(hours) == 1 else merged(hours.values())
        return Work(f"n{node}", CLASSES[self.machine[node]], f"site-{self.site[node]}", total, hours)

    def _hours(self, node: int, tallies: _Tallies) -> dict[int, Behaviour]:
        return {hour: self._behaviour(node, counts[node]) for hour, counts in tallies.hours.items()}

    def _behaviour(self, node: int, counts: Counts) -> Behaviour:
        confidence, rest = counts[:CONFIDENCE_BINS], counts[CONFIDENCE_BINS:]
        labels, rest = rest[:LABELS], rest[LABELS:]
        latency, (requests, errors, compared, agreed) = rest[:_BUCKETS], rest[_BUCKETS:].tolist()
        first = round(32 * math.log2(_LATENCY_US[self.machine[node]])) - _BUCKETS // 2
        buckets = {first + int(index): int(latency[index]) for index in np.flatnonzero(latency)}
        return Behaviour(
            requests=requests,
            errors=errors,
            latency_us=Histogram(buckets=buckets, total=float(requests)),
            confidence=confidence.tolist(),
            classes={f"label-{index}": count for index, count in enumerate(labels.tolist()) if count},
            compared=compared,
            agreed=agreed,
        )


def _bins(how: tuple[float, float], surer: Array) -> Array:
    """Return the shares of the bins of confidence, for each node."""
    mean, spread = how
    places = (_EDGES[None, :] - mean - surer[:, None]) / spread
    below = np.interp(places, _GRID, _NORMAL)
    cumulated = np.hstack([np.zeros((len(surer), 1)), below, np.ones((len(surer), 1))])
    share: Array = np.diff(cumulated, axis=1)
    return share
