"""Which version answers a request, when several share a model's traffic by weight.

With a key the choice is the same each time, on every node. Raising the weight of a version moves keys to it and none
between the others, so that a canary grows without anybody changing sides twice.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.core.errors import InvalidRequest

_HASH_BYTES = 8
_HASHES = 1 << (8 * _HASH_BYTES)
WEIGHT_MIN, WEIGHT_MAX = 1e-9, 1e9


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """Weights by version, in the order in which chance walks them. Only their ratios mean something."""

    model: str
    weights: Mapping[str, float]

    @property
    def total(self) -> float:
        """Return the sum of the weights."""
        return sum(self.weights.values())


def split_of(model: str, weights: Mapping[str, float]) -> TrafficSplit | None:
    """Return the split; None for no weights. Raises: InvalidRequest: a weight is no share of anything."""
    for version, weight in weights.items():
        if weight != 0 and not WEIGHT_MIN <= weight <= WEIGHT_MAX:
            limits = f"0, or {WEIGHT_MIN:g} to {WEIGHT_MAX:g}"
            raise InvalidRequest(f"the weight of version {version[:80]!r} is {weight}: use {limits}")
    if not weights:
        return None
    if not any(weights.values()):
        raise InvalidRequest(f"all weights of model {model[:80]!r} are 0: nobody would answer")
    return TrafficSplit(model, dict(weights))


def without(split: TrafficSplit, version: str) -> TrafficSplit | None:
    """Return what is left of a split when a version goes; None when nobody is left to share with."""
    weights = {name: weight for name, weight in split.weights.items() if name != version}
    return TrafficSplit(split.model, weights) if any(weights.values()) else None


def choose_by_key(split: TrafficSplit, key: str) -> str:
    """Return the version for a key.

    Source: weighted rendezvous hashing: each version draws an exponential time from a hash of the key, at the rate
    of its weight, and the first one wins. A larger weight only shortens that version's own times.
    """
    return min(split.weights, key=lambda version: _arrival(split, version, key))


def choose_by_chance(split: TrafficSplit, share: float) -> str:
    """Return the version for a number in [0, 1) that was drawn at random."""
    rest = share * split.total
    chosen = ""
    for version, weight in split.weights.items():
        if weight:
            chosen = version
            rest -= weight
            if rest < 0:
                break
    return chosen


def _arrival(split: TrafficSplit, version: str, key: str) -> float:
    weight = split.weights[version]
    if not weight:
        return math.inf
    # Lengths first: no two triples make the same text.
    text = f"{len(split.model)}:{len(version)}:{split.model}{version}{key}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return -math.log((int.from_bytes(digest) + 0.5) / _HASHES) / weight
