"""What the gate looks at: how far each node got, and what the version did there. Counts only, no opinion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ganglion.core.behaviour import Behaviour

HOUR_MINUTES = 60
NOTHING = Behaviour()
"""No counts at all, for the many nodes that have none. Nobody adds to it."""
_STAGES = 3


class Outcome(StrEnum):
    """What a node said of its update. Silence is neither of the other two."""

    SILENT = "silent"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Work:
    """What one version did on one node."""

    name: str
    node_class: str
    site: str = ""
    behaviour: Behaviour = field(default_factory=Behaviour)
    hours: Mapping[int, Behaviour] = field(default_factory=dict)
    """The same counts by hour; empty when the hours do not matter or are not known."""
    machine: Mapping[str, float] = field(default_factory=dict)
    """Figures of the machine while it did so, with their unit in their name."""

    def by_hour(self) -> Mapping[int, Behaviour]:
        """Return the counts by hour; all of them under hour 0 when hours are not known."""
        return self.hours or {0: self.behaviour}


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
    site: str = ""
    hours: Mapping[int, Behaviour] = field(default_factory=dict)
    machine: Mapping[str, float] = field(default_factory=dict)
    before: Behaviour = field(default_factory=Behaviour)
    """The version that it replaced, on this node in the hours before the stage began."""
    is_set_aside: bool = False
    """Silent for longer than the rollout waits: neither a success nor a failure, and not waited for."""
    has_crashed: bool = False
    """The version took the serving process down so often after its commit that the node gave it up."""

    @property
    def work(self) -> Work:
        """Return what the new version did here."""
        return Work(self.name, self.node_class, self.site, self.behaviour, self.hours, self.machine)

    @property
    def work_before(self) -> Work:
        """Return what the version before it did here."""
        return Work(self.name, self.node_class, self.site, self.before)


@dataclass(frozen=True, slots=True)
class Others:
    """How many further nodes of a large stage have which outcome. Those that failed are not among them."""

    committed: int = 0
    silent: int = 0
    set_aside: int = 0

    @property
    def nodes(self) -> int:
        """Return how many there are."""
        return self.committed + self.silent + self.set_aside


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a rollout at one moment."""

    stage: Sequence[NodeEvidence]
    """Nodes of the current stage; of a very large one those whose work is counted, and all that failed."""
    earlier: Sequence[NodeEvidence] = ()
    """Nodes of the stages before it, with what the version did there since the current stage began."""
    others: Others = Others()
    controls: Sequence[Work] = ()
    """The old version in the same hours, on nodes of the same classes that still have it."""
    past_classes: Sequence[str] = ()
    """Classes of which no node has the old version any more: their controls are the same nodes in the hours before."""
    waited_s: float = 0.0
    """Time in this stage; pauses are not counted."""
    soaked_s: float | None = None
    """Time since the newest commit in this stage; None before the first."""
    stages: int = _STAGES
    """How many stages the rollout has: each may err, so they share the chance of a false abort."""
    counted_share: float = 1.0
    """Share of the committed nodes whose work was counted; a very large stage is judged by a part of its nodes."""


def merged(behaviours: Iterable[Behaviour]) -> Behaviour:
    """Return the sum of these counts, and leave them as they are."""
    total = Behaviour()
    for behaviour in behaviours:
        if behaviour is not NOTHING:
            total.merge(behaviour)
    return total


def tallied(behaviours: Iterable[Behaviour]) -> Behaviour:
    """Return the sum of requests, errors and comparisons alone, which costs a hundredth of the sum of everything."""
    total = Behaviour()
    for behaviour in behaviours:
        total.requests += behaviour.requests
        total.errors += behaviour.errors
        total.compared += behaviour.compared
        total.agreed += behaviour.agreed
    return total


def latency_by_class(nodes: Iterable[NodeEvidence | Work]) -> dict[str, Behaviour]:
    """Return the two latencies by node class, and nothing else of the counts."""
    groups: dict[str, Behaviour] = {}
    for node in nodes:
        if node.behaviour is not NOTHING:
            group = groups.setdefault(node.node_class, Behaviour())
            group.latency_us.merge(node.behaviour.latency_us)
            group.compared_latency_us.merge(node.behaviour.compared_latency_us)
    return groups


def count(nodes: Iterable[NodeEvidence], outcome: Outcome) -> int:
    """Return how many nodes had this outcome."""
    return sum(node.outcome is outcome for node in nodes)
