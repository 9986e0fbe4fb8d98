"""Inputs with what an old and a new version answer to each, so that both can be asked the same.

`made` draws them by chance; whoever has real models fills a `Pool` with what they said of real inputs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_CENTRE, _SPREAD = 2.4, 1.5
"""Of how far an input lies from the nearest other class: 93 % are told right by a version with `_OWN` of its own."""
_OWN = 0.5
_LABELLESS = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """What one version says of each input."""

    labels: Counts
    confidence: Array


@dataclass(frozen=True, slots=True)
class Pool:
    """Inputs with their true class, and what both versions say of them."""

    truth: Counts
    old: Answers
    new: Answers

    @property
    def classes(self) -> int:
        """Return how many classes there are."""
        return int(max(self.truth.max(), self.old.labels.max(), self.new.labels.max())) + 1

    @property
    def agreement(self) -> float:
        """Return on which share of the inputs both give the same label."""
        return float((self.old.labels == self.new.labels).mean())

    def accuracy(self, answers: Answers) -> float:
        """Return the share of right answers."""
        return float((answers.labels == self.truth).mean())


@dataclass(frozen=True, slots=True)
class Variant:
    """How a new version was made, beside the old one."""

    gain: float = 0.0
    """Added to how far inputs lie from other classes: 0.3 is about two points of accuracy."""
    apart: float = 0.5
    """How much it has of its own: 0.1 is another precision of the same weights, 0.5 another training."""
    temperature: float = 1.0
    """Above 1 it is surer of itself, below 1 less sure, with the same answers."""
    lost_class: int | None = None
    """It loses `lost` there, and nowhere else."""
    lost: float = 0.0
    swapped: tuple[int, int] | None = None
    """Two labels that were mixed up when it was packed."""
    has_labels: bool = True
    """Without labels nothing but the form of outputs is compared; regression says one label and no confidence."""


def made(seed: int, variant: Variant, *, inputs: int = 1200, classes: int = 8) -> Pool:
    """Draw inputs, and what both versions say of them."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, classes, inputs)
    other = (truth + chance.integers(1, classes, inputs)) % classes
    place = _CENTRE + _SPREAD * chance.normal(size=inputs)
    own = _OWN * chance.normal(size=inputs)
    gain = np.where(truth == variant.lost_class, variant.gain - variant.lost, variant.gain)
    theirs = variant.apart * chance.normal(size=inputs) + (own if variant.apart < _OWN else 0.0)
    old = _answers(truth, other, place + own, 1.0)
    new = _answers(truth, other, place + theirs + gain, variant.temperature)
    if variant.swapped is not None:
        new = Answers(_swapped(new.labels, variant.swapped), new.confidence)
    if not variant.has_labels:
        nothing = Answers(np.full(inputs, _LABELLESS), np.zeros(inputs))
        old = new = nothing
    return Pool(truth, old, new)


def _answers(truth: Counts, other: Counts, margin: Array, temperature: float) -> Answers:
    sure = 1.0 / (1.0 + np.exp(-temperature * (0.4 + np.abs(margin))))
    return Answers(np.where(margin > 0, truth, other), sure)


def _swapped(labels: Counts, pair: tuple[int, int]) -> Counts:
    one, two = pair
    mixed: Counts = np.where(labels == one, two, np.where(labels == two, one, labels))
    return mixed
