"""Which nodes speak for very many: the same ones at each look, spread over classes and sites."""

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class _Placed(Protocol):
    @property
    def node_id(self) -> str: ...
    @property
    def node_class(self) -> str: ...
    @property
    def site(self) -> str: ...


P = TypeVar("P", bound=_Placed)


def spread(members: Iterable[P], seed: str, *, limit: int, ranks: Mapping[str, bytes] | None = None) -> list[P]:
    """Return so many at most, the same ones at each look, as many of each class and site as there can be.

    `ranks`: what `rank` says of the members, where that is known already.
    """
    known = ranks or {}
    groups: dict[tuple[str, str], list[P]] = {}
    for member in members:
        groups.setdefault((member.node_class, member.site), []).append(member)
    if sum(map(len, groups.values())) <= limit:
        return [member for _, group in sorted(groups.items()) for member in group]
    sizes, rounds, ranked = [len(group) for group in groups.values()], 1, []
    while sum(min(size, rounds) for size in sizes) < limit:
        rounds += 1
    for key, group in groups.items():
        ordered = heapq.nsmallest(rounds, group, key=lambda each: known.get(each.node_id) or rank(seed, each.node_id))
        ranked += [(place, key, member) for place, member in enumerate(ordered)]
    ranked.sort(key=lambda entry: entry[:2])
    return [member for _, _, member in ranked[:limit]]


def rank(seed: str, node_id: str) -> bytes:
    """Return by what nodes are ordered: by chance, but always the same one."""
    return hashlib.sha256(f"{seed} {node_id}".encode()).digest()
