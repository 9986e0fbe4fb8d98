"""How many nodes are in touch, silent or out of service, and which people should look at first.

A fleet of a hundred thousand nodes is not read for that: whoever is out of service or was not heard of is looked up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ganglion.hub.services.organisation.groups import IN_SERVICE, Sight
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.hub_store import Alternatives, ControlStore, ControlTransaction, NodeQuery, NodeTerm
from ganglion.ports.many_nodes import StaleNode

Within: TypeAlias = tuple[Alternatives, ...]
FRESH, SILENT = "fresh", "silent"
_OUT = ("retired", "revoked")
WORST_FIRST = ("quarantined", SILENT, FRESH, *_OUT)


@dataclass(frozen=True, slots=True)
class FleetPicture:
    """A fleet, or a part of it, at one moment."""

    counts: Mapping[str, int]
    """Nodes by state, each state of `WORST_FIRST`."""
    names: Sequence[str]
    """The nodes to look at first, the worst states first and by name in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStates:
    """Tells them apart. Safe to use from many threads."""

    control: ControlStore
    clock: Clock
    silent_after_s: float
    last_seen_at_s: Callable[[StaleNode], float | None]
    """When the hub last knew that a node is there, which may be later than its newest report."""

    def silent(self, tx: ControlTransaction) -> list[StaleNode]:
        """Return the nodes that are let in and were not heard of for long, or never; in no order."""
        before_s = utc_s(self.clock) - self.silent_after_s
        # A node that only waits for an answer tells nothing new, and is there all the same.
        return [node for node in tx.stale(before_s=before_s) if (self.last_seen_at_s(node) or 0.0) < before_s]

    def picture(self, sees: Sight | None, *, most: int) -> FleetPicture:
        """Return the counts, and the names of `most` nodes, of those that `sees` lets pass."""
        with self.control.read() as tx:
            within = sees(tx) if sees else ()
            silent = _among(tx, [node.name for node in self.silent(tx)], within)
            in_service = tx.count_nodes(NodeQuery(within=within, standings=IN_SERVICE))
            counts = {FRESH: in_service - len(silent), SILENT: len(silent)}
            for state in ("quarantined", *_OUT):
                counts[state] = tx.count_nodes(NodeQuery(within=within, standings=(state,)))
            return FleetPicture(counts, _worst(tx, within, silent, most))


def _worst(tx: ControlTransaction, within: Within, silent: Sequence[str], most: int) -> list[str]:
    names = list(_of(tx, within, ("quarantined",), most))
    names += silent[: most - len(names)]
    room = most - len(names)
    if room > 0:
        away = frozenset(silent)
        names += [name for name in _of(tx, within, IN_SERVICE, room + len(away)) if name not in away][:room]
    for state in _OUT:
        names += _of(tx, within, (state,), most - len(names))
    return names


def _of(tx: ControlTransaction, within: Within, standings: tuple[str, ...], most: int) -> Sequence[str]:
    return tx.find_names(NodeQuery(within=within, standings=standings, limit=most)) if most > 0 else ()


def _among(tx: ControlTransaction, names: Sequence[str], within: Within) -> Sequence[str]:
    """Return those of the names that are within, in order."""
    if not names or not within:
        return sorted(names)
    return tx.find_names(NodeQuery(terms=(NodeTerm("name", tuple(names)),), within=within))
