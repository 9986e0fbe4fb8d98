"""Who is in which arm: shares become counts, counts become sets of nodes, alike in every class of machines.

Deterministic: the same seed over the same nodes gives the same arms on every replica and after every restart.
"""

import hashlib
from collections.abc import Sequence

from ganglion.core.errors import Conflict
from ganglion.hub.domain.rollouts.stages import Place


def without_partners(seed: str, places: Sequence[Place]) -> tuple[list[Place], list[Place]]:
    """Part the places into those that can be in an arm, and the second ones of pairs.

    Two nodes that stand in for each other must not take an unproven version at the same time.
    """
    taken, second, pairs = list[Place](), list[Place](), set[str]()
    for place in sorted(places, key=lambda each: _rank(seed, each.node_id)):
        (second if place.pair and place.pair in pairs else taken).append(place)
        pairs.add(place.pair)
    return taken, second


def divide(seed: str, shares: Sequence[float], places: Sequence[Place]) -> list[list[str]]:
    """Return the node ids of each arm. `shares` add up to 1, and are honoured to one node.

    Nodes of one class and site are dealt out one after the other, so that each arm has its share of every class as
    far as whole nodes allow; which of them goes where, a hash decides. Raises: Conflict: an arm would have no node.
    """
    quotas = _quotas(shares, len(places))
    if min(quotas) == 0:
        raise Conflict(
            f"{len(places)} nodes can take part, and one arm of {len(shares)} would have none: "
            "choose larger shares, or more nodes"
        )
    arms: list[list[str]] = [[] for _ in shares]
    for dealt, place in enumerate(_in_strata(seed, places), start=1):
        due = [
            share * dealt - len(arm) if len(arm) < quota else float("-inf")
            for share, quota, arm in zip(shares, quotas, arms, strict=True)
        ]
        arms[due.index(max(due))].append(place.node_id)
    return arms


def together(arms: int, places: Sequence[Place]) -> list[list[str]]:
    """Return every node for every arm: they meet inside of the nodes. Raises: Conflict: there is no node."""
    if not places:
        raise Conflict("0 nodes can take part: they must serve the control, and fit both versions")
    return [[place.node_id for place in places] for _ in range(arms)]


def _quotas(shares: Sequence[float], total: int) -> list[int]:
    """Return whole numbers that add up to `total`. Source: Hamilton's method of largest remainders."""
    exact = [share * total for share in shares]
    # What floats make of a third of three must not lose a node.
    quotas = [int(each + 1e-9) for each in exact]
    by_remainder = sorted(range(len(shares)), key=lambda arm: (quotas[arm] - exact[arm], arm))
    for arm in by_remainder[: total - sum(quotas)]:
        quotas[arm] += 1
    return quotas


def _in_strata(seed: str, places: Sequence[Place]) -> list[Place]:
    return sorted(
        places,
        key=lambda each: (_rank(seed, each.node_class), _rank(seed, each.site), _rank(seed, each.node_id)),
    )


def _rank(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
