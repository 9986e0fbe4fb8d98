"""The way back after an abort: how far is each node, and when is the revert done? From reports alone. No I/O."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.hub.domain.rollouts.document import Cause, Rollout, noted

_NAMES_MAX = 5


class Way(StrEnum):
    """How far a node is."""

    RETURNED = "returned"
    """It says that it serves what it had before; or a later rollout has given it something else since."""
    RETURNING = "returning"
    SILENT = "silent"
    """Not heard of since the abort, or not for long: neither back nor failed."""
    FAILED = "failed"
    """It says that it could not take back what it had before."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the hub knows of one node after an abort."""

    name: str
    heard_at_s: float | None
    is_current: bool
    """Its newest report was made with the newest wish in hand."""
    committed: str
    """What it reports to serve of the model; empty: nothing."""
    update_version: str = ""
    update_state: str = ""
    reason: str = ""
    is_superseded: bool = False
    """Its wish is not this rollout's any more."""


@dataclass(frozen=True, slots=True)
class NodeWay:
    """Where one node stands."""

    way: Way
    reason: str = ""


BACK = NodeWay(Way.RETURNED)
_UNHEARD = NodeWay(Way.SILENT, "not heard of since the abort")
_RETURNING = NodeWay(Way.RETURNING)


def wanted_back(rollout: Rollout, node_id: str) -> str:
    """Return the version that a node should serve again; empty: none."""
    previous = rollout.previous.get(node_id)
    return previous.version if previous else ""


def way_of(rollout: Rollout, node_id: str, sight: Sight, *, now_s: float, silent_after_s: float) -> NodeWay:
    """Judge one node. What was seen to be back stays so: what it is given later is another matter."""
    if node_id in rollout.returned:
        return BACK
    told = told_way(sight, wanted_back(rollout, node_id))
    if told is not None:
        return told
    heard = {node_id: sight.heard_at_s or 0.0}
    return waiting_ways(rollout, heard, now_s=now_s, silent_after_s=silent_after_s)[node_id]


def waiting_ways(
    rollout: Rollout, heard_at_s: Mapping[str, float], *, now_s: float, silent_after_s: float
) -> dict[str, NodeWay]:
    """Judge nodes that told nothing of their way back, by when they were last heard of; 0: never."""
    aborted_at_s = _aborted_at_s(rollout)

    def heard(at_s: float) -> NodeWay:
        silent_s = now_s - at_s
        return NodeWay(Way.SILENT, f"not heard of for {silent_s:.0f} s") if silent_s > silent_after_s else _RETURNING

    return {
        node_id: _UNHEARD if at_s == 0.0 or at_s < aborted_at_s else heard(at_s) for node_id, at_s in heard_at_s.items()
    }


def waiting_counts(
    rollout: Rollout, heard_at_s: Collection[float], *, now_s: float, silent_after_s: float
) -> dict[Way, int]:
    """Return how many of them `waiting_ways` judges how: of very many nodes, and in one pass."""
    aborted_at_s = _aborted_at_s(rollout)
    returning = sum(at_s != 0.0 and at_s >= aborted_at_s and now_s - at_s <= silent_after_s for at_s in heard_at_s)
    return {Way.RETURNING: returning, Way.SILENT: len(heard_at_s) - returning}


def _aborted_at_s(rollout: Rollout) -> float:
    return rollout.aborted_at_s if rollout.aborted_at_s is not None else rollout.updated_at_s


def told_way(sight: Sight, wanted: str) -> NodeWay | None:
    """Return what a report says that was made with the newest wish in hand; None when the node is still at it."""
    if not sight.is_current:
        return None
    if sight.is_superseded:
        return NodeWay(Way.RETURNED, "a later rollout has given it another version since")
    if sight.committed == wanted:
        return BACK
    if sight.update_state == "rolled_back" and sight.update_version == wanted:
        return NodeWay(Way.FAILED, sight.reason)
    return None


def followed(rollout: Rollout, ways: Mapping[str, NodeWay], names: Mapping[str, str], *, now_s: float) -> Rollout:
    """Note who is back, and once that everybody who could be reached is, and then who came late.

    `ways` has every node that took part and still belongs to the fleet. The same rollout: nothing is new.
    """
    back = [node_id for node_id, each in ways.items() if each.way is Way.RETURNED and node_id not in rollout.returned]
    counts = Counter(each.way for each in ways.values())
    is_first = rollout.reverted_at_s is None and _is_done(counts, len(ways))
    if not back and not is_first:
        return rollout
    after = msgspec.structs.replace(rollout, returned={**rollout.returned, **dict.fromkeys(back, now_s)})
    silent = f", {counts[Way.SILENT]} silent" if counts[Way.SILENT] else ""
    told = f"{counts[Way.RETURNED]} of {len(ways)} nodes are back{silent}"
    if is_first:
        done = msgspec.structs.replace(after, reverted_at_s=now_s)
        return noted(done, "reverted", Cause(now_s, "hub", told))
    if after.reverted_at_s is not None:
        shown = ", ".join(sorted(names[node_id] for node_id in back)[:_NAMES_MAX])
        return noted(after, "returned_late", Cause(now_s, "hub", f"{shown}; {told}"))
    return after


def is_over(rollout: Rollout, ways: Mapping[str, NodeWay]) -> bool:
    """Say whether nobody is left to wait for."""
    return rollout.reverted_at_s is not None and all(each.way is Way.RETURNED for each in ways.values())


def _is_done(counts: Counter[Way], total: int) -> bool:
    if counts[Way.RETURNING] or counts[Way.FAILED]:
        return False
    # Where nobody can be reached nothing is known, and nothing is done.
    return counts[Way.RETURNED] > 0 or total == 0
