"""Which nodes take a new version together: declared shares become counts, counts become sets of nodes.

Deterministic: the same seed over the same nodes gives the same stages on every replica, after every restart, and in
a plan that is only looked at. Which stage may start is the machine's and the gate's business.
"""

import hashlib
import itertools
import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ganglion.core.errors import InvalidRequest

STAGES_MAX = 100
GROUP, CLASS = "group:", "class:"
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_NAMED = re.compile(rf"({GROUP}|{CLASS})([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})")
_ALL = Fraction(1)
_NOBODY: Mapping[str, Collection[str]] = {}


@dataclass(frozen=True, slots=True)
class StageShare:
    """A declared stage, as it was written: a cumulative share or number of nodes, or whoever a name means."""

    text: str
    share: Fraction | None = None
    nodes: int = 0
    group: str = ""
    node_class: str = ""

    @property
    def is_named(self) -> bool:
        """Say whether it names its nodes, and not how many they are."""
        return bool(self.group or self.node_class)

    def count(self, total: int) -> int:
        """Return how many of `total` nodes this stage and those before it cover together. Not for named ones."""
        if self.share is None:
            return min(self.nodes, total)
        return max(1, int(self.share * total))


@dataclass(frozen=True, slots=True)
class Place:
    """A node that can be put into a stage, and what spreads or separates nodes."""

    node_id: str
    site: str
    node_class: str = ""
    pair: str = ""
    """Two nodes of one pair stand in for each other: they are not to be updated together. Empty: it stands alone."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """The nodes that a stage adds to those of the stages before it."""

    share: str
    node_ids: tuple[str, ...]


def parse(texts: Sequence[str]) -> tuple[StageShare, ...]:
    """Read declared stages such as ("group:canary", "1", "34%", "100%").

    Raises: InvalidRequest: none of these, twice the same, or not larger than the one of its kind before it.
    """
    if not 1 <= len(texts) <= STAGES_MAX:
        raise InvalidRequest(f"{len(texts)} stages were given; between 1 and {STAGES_MAX} are possible")
    stages = tuple(_parse_one(text) for text in texts)
    for text, times in Counter(stage.text for stage in stages if stage.is_named).items():
        if times > 1:
            raise InvalidRequest(f"the stage {text!r} stands there {times} times")
    for before, after in itertools.pairwise(stage for stage in stages if not stage.is_named):
        if (before.share is None) == (after.share is None) and _size(before) >= _size(after):
            raise InvalidRequest(
                f"the stage {after.text!r} follows {before.text!r}: stages are cumulative, each larger than the last"
            )
    return stages


def divide(
    seed: str,
    shares: Sequence[StageShare],
    places: Sequence[Place],
    *,
    groups: Mapping[str, Collection[str]] = _NOBODY,
    may_leave_out: bool = False,
) -> tuple[PlannedStage, ...]:
    """Return the stages of a rollout over `places`. A stage that would add no node of a small fleet is left out.

    `groups` has the node ids of every group that a stage names. Of a pair one node goes into a later stage where
    there is one to go to. Raises: InvalidRequest: a name means no node, the last stage leaves nodes out and may not,
    or a number of nodes undoes a share.
    """
    waiting, stages = order(seed, places), list[PlannedStage]()
    pairs = {place.node_id: place.pair for place in places if place.pair}
    for share in shares:
        if share.is_named:
            taken = _named(share, waiting, places, groups)
        else:
            covered = len(places) - len(waiting)
            _check_growth(share, shares, covered=covered, total=len(places))
            taken = _fill(waiting, share.count(len(places)) - covered, pairs)
        if taken:
            stages.append(PlannedStage(share.text, tuple(taken)))
            gone = set(taken)
            waiting = [node_id for node_id in waiting if node_id not in gone]
    if waiting and not may_leave_out:
        raise InvalidRequest(
            f"the last stage {shares[-1].text!r} covers {len(places) - len(waiting)} of {len(places)} nodes: "
            "end with '100%', or name the nodes that the rollout is for"
        )
    return tuple(stages)


def order(seed: str, places: Iterable[Place]) -> list[str]:
    """Return node ids in the order in which they join the rollout.

    Sites take turns, so that early stages do not sit in one site; a site whose turn it is sends a node of the class
    that has had fewest so far; among those, and between sites, a hash decides, so that it is not always the same node
    that goes first. More nodes in a site do not change the order of those of one site and class that were there.
    """
    sites: dict[str, dict[str, list[str]]] = {}
    for place in places:
        sites.setdefault(place.site, {}).setdefault(place.node_class, []).append(place.node_id)
    queues = [
        {name: deque(sorted(nodes, key=lambda node_id: _rank(seed, node_id))) for name, nodes in sites[site].items()}
        for site in sorted(sites, key=lambda site: _rank(seed, site))
    ]
    return list(_take_turns(seed, queues))


def _take_turns(seed: str, queues: list[dict[str, deque[str]]]) -> Iterator[str]:
    ranks = {name: _rank(seed, name) for classes in queues for name in classes}
    had: Counter[str] = Counter()
    while queues:
        for classes in queues:
            name = min(classes, key=lambda each: (had[each], ranks[each]))
            had[name] += 1
            yield classes[name].popleft()
            if not classes[name]:
                del classes[name]
        queues = [classes for classes in queues if classes]


def _named(
    share: StageShare, waiting: Sequence[str], places: Sequence[Place], groups: Mapping[str, Collection[str]]
) -> list[str]:
    if share.group:
        meant = {place.node_id for place in places}.intersection(groups.get(share.group, ()))
    else:
        meant = {place.node_id for place in places if place.node_class == share.node_class}
    if not meant:
        raise InvalidRequest(f"the stage {share.text!r} means no node of this rollout")
    return [node_id for node_id in waiting if node_id in meant]


def _check_growth(share: StageShare, shares: Sequence[StageShare], *, covered: int, total: int) -> None:
    before = shares[: shares.index(share)]
    # How many nodes a name means is not the writer's fault: a share that it has overtaken adds nobody, and that is all.
    if share.count(total) < covered and not any(each.is_named for each in before):
        raise InvalidRequest(
            f"the stage {share.text!r} means {share.count(total)} of {total} nodes, the one before it {covered}"
        )


def _fill(waiting: Sequence[str], wanted: int, pairs: Mapping[str, str]) -> list[str]:
    """Return the first nodes; the second one of a pair only when there are too few others."""
    taken, second, used = list[str](), list[str](), set[str]()
    for node_id in waiting:
        if len(taken) >= wanted:
            return taken
        pair = pairs.get(node_id, "")
        (second if pair and pair in used else taken).append(node_id)
        used.add(pair)
    return taken + second[: max(0, wanted - len(taken))]


def _rank(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _parse_one(text: str) -> StageShare:
    percent, named = _PERCENT.fullmatch(text), _NAMED.fullmatch(text)
    if percent:
        share = Fraction(percent.group(1)) / 100
        if 0 < share <= _ALL:
            return StageShare(text, share=share)
        raise InvalidRequest(f"the stage {text!r} is no share of the nodes: it lies above 0% and at most at 100%")
    if _COUNT.fullmatch(text):
        return StageShare(text, nodes=int(text))
    if named:
        kind, name = named.groups()
        return StageShare(text, group=name) if kind == GROUP else StageShare(text, node_class=name)
    raise InvalidRequest(
        f"the stage {text[:40]!r} is neither a share such as '34%' nor a number of nodes such as '3', "
        "nor a name such as 'group:canary' or 'class:aarch64-4'"
    )


def _size(share: StageShare) -> Fraction:
    return Fraction(share.nodes) if share.share is None else share.share
