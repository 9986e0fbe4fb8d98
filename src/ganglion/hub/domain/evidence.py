"""What the gate looks at: how far each node got, and what the version did there. Counts only, no opinion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ganglion.core.behaviour import Behaviour


class Outcome(StrEnum):
    """What a node said of its update. Silence is neither of the other two."""

    SILENT = "silent"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """One node that was given the new version."""

    name: str
    node_class: str
    outcome: Outcome = Outcome.SILENT
    reason: str = ""
    """Why it rolled back."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    """The new version on this node since it took it."""
    has_previous: bool = False
    """Another version answered before, and this one is new to the node: it compares the two."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a rollout at one moment."""

    stage: Sequence[NodeEvidence]
    """Nodes of the current stage."""
    earlier: Sequence[NodeEvidence] = ()
    """Nodes of the stages before it, with what the version did there since the current stage began."""
    controls: Mapping[str, Behaviour] = field(default_factory=dict)
    """By node class: the old version in the same minutes, on nodes outside the rollout."""
    waited_s: float = 0.0
    """Time in this stage; pauses are not counted."""
    soaked_s: float | None = None
    """Time since the newest commit in this stage; None before the first."""


def merged(behaviours: Iterable[Behaviour]) -> Behaviour:
    """Return the sum of these counts, and leave them as they are."""
    total = Behaviour()
    for behaviour in behaviours:
        total.merge(behaviour)
    return total


def by_class(nodes: Iterable[NodeEvidence]) -> dict[str, Behaviour]:
    """Return the new version's counts by node class."""
    groups: dict[str, Behaviour] = {}
    for node in nodes:
        groups.setdefault(node.node_class, Behaviour()).merge(node.behaviour)
    return groups


def count(nodes: Iterable[NodeEvidence], outcome: Outcome) -> int:
    """Return how many nodes had this outcome."""
    return sum(node.outcome is outcome for node in nodes)
