"""Whose turn it is within a stage: few at a time in one site, and never both nodes of a pair. No I/O, no clock."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.domain.rollouts.stages import Place


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is given the version now, and who is not yet."""

    due: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    """In service, in a stage that has started, and held back by others that are in the air."""


def undelivered(rollout: Rollout) -> list[str]:
    """Return the nodes of the stages so far that were not given the version yet, in their order."""
    # Nearly all were, of very many: they are passed over without a step of our own for each.
    others = itertools.filterfalse(rollout.given_at_s.__contains__, rollout.node_ids_so_far())
    return [node_id for node_id in others if not rollout.was_given(node_id)]


def in_the_air(rollout: Rollout) -> list[str]:
    """Return the nodes that were given the version, and of whose end nobody knows.

    A node that was left behind does not hold others up: a person answered for that.
    """
    over = {*rollout.committed, *rollout.left_behind, *rollout.rolled_back}
    return [node_id for node_id in rollout.node_ids_so_far() if rollout.was_given(node_id) and node_id not in over]


def turn(rollout: Rollout, places: Mapping[str, Place]) -> Turn:
    """Return who is due. `places` has every node in service; one that is not among them has left."""
    flying = [node_id for node_id in in_the_air(rollout) if node_id in places]
    sites = Counter(places[node_id].site for node_id in flying)
    pairs = {places[node_id].pair for node_id in flying} - {""}
    due, waiting = list[str](), list[str]()
    for node_id in undelivered(rollout):
        place = places.get(node_id)
        if place is None:
            continue
        is_full = 0 < rollout.terms.site_parallel_max <= sites[place.site]
        if is_full or place.pair in pairs:
            waiting.append(node_id)
            continue
        due.append(node_id)
        sites[place.site] += 1
        pairs |= {place.pair} - {""}
    return Turn(tuple(due), tuple(waiting))


def flying_by_site(rollout: Rollout, places: Mapping[str, Place]) -> Counter[str]:
    """Return how many nodes of each site are in the air."""
    return Counter(places[node_id].site for node_id in in_the_air(rollout) if node_id in places)


def download_share(rollout: Rollout, *, flying: int, site_bytes_per_s_max: int = 0) -> int:
    """Return the bytes per second that each node of a site may bring, so that all of them keep to the site's limit.

    That is the rollout's or the site's own, whichever is less; 0: none, of the share too. With a fixed number of nodes
    at a time the share is fixed; otherwise it is that of all who are `flying` there.
    """
    limits = [each for each in (rollout.terms.site_bytes_per_s_max, site_bytes_per_s_max) if each > 0]
    return max(1, min(limits) // max(1, rollout.terms.site_parallel_max or flying)) if limits else 0
