"""Which nodes take a new version together: declared shares become counts, counts become sets of nodes.

Deterministic: the same rollout over the same nodes gives the same stages on every replica and after
every restart. Which stage may start is `rollout`'s and `gate`'s business.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ganglion.core.errors import InvalidRequest

STAGES_MAX = 100
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_ALL = Fraction(1)


@dataclass(frozen=True, slots=True)
class StageShare:
    """A declared, cumulative size: a share of the fleet, or a number of nodes. `text` is as it was written."""

    text: str
    share: Fraction | None = None
    nodes: int = 0

    def count(self, total: int) -> int:
        """Return how many of `total` nodes this stage and those before it cover together."""
        if self.share is None:
            return min(self.nodes, total)
        return max(1, int(self.share * total))


@dataclass(frozen=True, slots=True)
class Place:
    """A node that can be put into a stage, and the site that it stands in."""

    node_id: str
    site: str


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """The nodes that a stage adds to those of the stages before it."""

    share: str
    node_ids: tuple[str, ...]


def parse(texts: Sequence[str]) -> tuple[StageShare, ...]:
    """Read declared stages such as ("1", "34%", "100%").

    Raises: InvalidRequest: not a share or number, or not larger than the one before it.
    """
    if not 1 <= len(texts) <= STAGES_MAX:
        raise InvalidRequest(f"{len(texts)} stages were given; between 1 and {STAGES_MAX} are possible")
    shares = tuple(_parse_one(text) for text in texts)
    for before, after in itertools.pairwise(shares):
        if (before.share is None) == (after.share is None) and _size(before) >= _size(after):
            raise InvalidRequest(
                f"the stage {after.text!r} follows {before.text!r}: stages are cumulative, each larger than the last"
            )
    return shares


def divide(rollout_id: str, shares: Sequence[StageShare], places: Sequence[Place]) -> tuple[PlannedStage, ...]:
    """Return the stages of a rollout over `places`. A stage that would add no node of a small fleet is left out.

    Raises: InvalidRequest: the last stage leaves nodes out, or a number of nodes undoes a share.
    """
    ordered, stages, covered = order(rollout_id, places), [], 0
    for share in shares:
        count = share.count(len(ordered))
        if count < covered:
            raise InvalidRequest(
                f"the stage {share.text!r} means {count} of {len(ordered)} nodes, the one before it {covered}"
            )
        if count > covered:
            stages.append(PlannedStage(share.text, tuple(ordered[covered:count])))
        covered = count
    if covered < len(ordered):
        raise InvalidRequest(
            f"the last stage {shares[-1].text!r} covers {covered} of {len(ordered)} nodes: end with '100%'"
        )
    return tuple(stages)


def order(rollout_id: str, places: Iterable[Place]) -> list[str]:
    """Return node ids in the order in which they join the rollout.

    Sites take turns, so that early stages do not sit in one site; inside a site, and between sites, a
    hash decides, so that it is not always the same node that goes first. More nodes in a site do not
    change the order of those that were there.
    """
    sites: dict[str, list[str]] = {}
    for place in places:
        sites.setdefault(place.site, []).append(place.node_id)
    queues = [
        sorted(sites[site], key=lambda node_id: _rank(rollout_id, node_id))
        for site in sorted(sites, key=lambda site: _rank(rollout_id, site))
    ]
    return list(_take_turns(queues))


def _take_turns(queues: Sequence[Sequence[str]]) -> Iterator[str]:
    for turn in itertools.zip_longest(*queues):
        yield from (node_id for node_id in turn if node_id is not None)


def _rank(rollout_id: str, name: str) -> bytes:
    return hashlib.sha256(f"{rollout_id}/{name}".encode()).digest()


def _parse_one(text: str) -> StageShare:
    percent = _PERCENT.fullmatch(text)
    if percent:
        share = Fraction(percent.group(1)) / 100
        if 0 < share <= _ALL:
            return StageShare(text, share=share)
    elif _COUNT.fullmatch(text):
        return StageShare(text, nodes=int(text))
    raise InvalidRequest(f"the stage {text[:40]!r} is neither a share such as '34%' nor a number of nodes such as '3'")


def _size(share: StageShare) -> Fraction:
    return Fraction(share.nodes) if share.share is None else share.share
